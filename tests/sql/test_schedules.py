"""Schedules and tiers as SQL takes them: what it accepts the scheduler understands; what it advises is not applied."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from psycopg import errors

from trickle.cron import Cron
from trickle.scheduler.schedule import Calculated, Every, parse_schedule

from .conftest import Connection, one


def stored(conn: Connection, schedule: str) -> str | None:
    return one(conn, "SELECT pgtrickle._check_schedule(%s)", schedule)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("given", "seconds"), [("5s", 5), ("90", 90), ("1h30m", 5400), ("2d", 172800), ("1w", 604800), ("10m5s", 605)]
)
def test_durations(conn: Connection, given: str, seconds: int) -> None:
    assert parse_schedule(stored(conn, given)) == Every(seconds)
    assert one(conn, "SELECT pgtrickle.parse_duration_seconds(%s)", given) == seconds


@pytest.mark.parametrize("given", ["calculated", "CALCULATED", "Calculated"])
def test_calculated_is_stored_as_null(conn: Connection, given: str) -> None:
    assert stored(conn, given) is None
    assert parse_schedule(None) == Calculated()


@pytest.mark.parametrize(
    "given",
    [
        "",
        "s",
        "5",
        "-5s",
        "5x",
        "5S",
        "1.5s",
        "5s5",
        "0s",
        "99999999999999999999s",
        "5 s",
        "@never",
        "* * * *",
        "60 * * * *",
    ],
)
def test_what_is_no_schedule_is_refused(conn: Connection, given: str) -> None:
    if given == "5":
        assert stored(conn, given) == "5", "a number counts seconds"
        return
    with pytest.raises(errors.InvalidParameterValue):
        stored(conn, given)


def test_every_cron_expression_that_is_taken_is_understood(conn: Connection) -> None:
    """One that the scheduler could not read would be refreshed at every change instead."""
    chance = random.Random(7)
    words = {
        "minute": ["*", "0", "59", "*/5", "10-20", "10-20/5", "1,2,3", "5/10", "00", "60", "*/0", "20-10", "1-"],
        "hour": ["*", "0", "23", "*/6", "9-17", "24", "1,25"],
        "day": ["*", "1", "31", "*/2", "0", "32", "1-15", "L", "?"],
        "month": ["*", "1", "12", "jan", "JAN-mar", "feb,dec", "13", "0", "*/3", "foo"],
        "weekday": ["*", "0", "7", "mon", "mon-fri", "SUN", "1-5", "8", "sat,sun", "*/2", "6-7", "fri-mon"],
    }
    made = [
        "@hourly",
        "@DAILY",
        "@weekly",
        "@monthly",
        "@yearly",
        "@annually",
        "@midnight",
        "*/5\t* * * *",
        "0\t0\t*\t*\t*",
    ]
    for _ in range(3000):
        fields = [chance.choice(options) for options in words.values()]
        made.append(" ".join(fields if chance.random() < 0.7 else [chance.choice(words["minute"]), *fields]))
    rows = conn.execute("SELECT s, pgtrickle._valid_cron(s) FROM unnest(%s::text[]) s", (made,)).fetchall()
    taken = [text for text, valid in rows if valid]
    assert len(taken) > 100
    for text in taken:
        schedule = parse_schedule(text)
        assert isinstance(schedule, Cron), text
        schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC))


def test_a_schedule_is_not_shorter_than_allowed(conn: Connection) -> None:
    conn.execute("SELECT pgtrickle.set_config('min_schedule_seconds', '10')")
    with pytest.raises(errors.InvalidParameterValue, match="shorter than 10 s"):
        stored(conn, "9s")
    assert stored(conn, "10s") == "10s"
    assert stored(conn, "* * * * * *") == "* * * * * *", "only durations have a floor"


def test_a_tier_is_set_and_a_wrong_one_refused(orders: Connection) -> None:
    orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM orders', '5s')")
    tier = "SELECT refresh_tier FROM pgtrickle.pgt_stream_tables"
    assert one(orders, tier) == "hot"
    for word in ("warm", "cold", "frozen", "HOT"):
        orders.execute("SELECT pgtrickle.alter_stream_table('t', tier => %s)", (word,))
        assert one(orders, tier) == word.lower()
    with pytest.raises(errors.InvalidParameterValue, match="tier"):
        orders.execute("SELECT pgtrickle.alter_stream_table('t', tier => 'tepid')")


@pytest.mark.parametrize(
    ("age", "changes", "advised"),
    [
        ("2 days", 2000, "hot"),
        ("2 days", 1300, "warm"),
        ("2 days", 300, "warm"),
        ("2 days", 200, "cold"),
        ("2 hours", 0, "cold"),
        ("2 days", 0, "frozen"),
        ("5 minutes", 0, "hot"),
    ],
)
def test_the_advised_tier_meets_nearly_every_change(orders: Connection, age: str, changes: int, advised: str) -> None:
    orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM orders', '1m')")
    orders.execute("UPDATE pgtrickle.pgt_stream_tables SET created_at = now() - %s::interval", (age,))
    orders.execute(
        "INSERT INTO pgtrickle.pgt_refresh_history"
        " (pgt_id, data_timestamp, start_time, end_time, action, delta_row_count, status, initiated_by)"
        " SELECT 1, now(), now(), now(), 'DIFFERENTIAL', 1, 'COMPLETED', 'SCHEDULER' FROM generate_series(1, %s)",
        (changes,),
    )
    row = orders.execute(
        "SELECT refresh_tier, recommended_tier, changes, reason FROM pgtrickle.tier_recommendations()"
    ).fetchone()
    assert row is not None and row[:3] == ("hot", advised, changes)
    command = "SELECT pgtrickle.alter_stream_table('public.t', tier => "
    assert (command in row[3]) == (advised != "hot")
    assert one(orders, "SELECT refresh_tier FROM pgtrickle.pgt_stream_tables") == "hot", "it is advice"


def test_how_often_each_one_is_looked_at(orders: Connection) -> None:
    """A calculated one has to keep up with the fastest that reads it, over calculated ones."""
    definitions = {
        "base": ("SELECT id, amount FROM orders", "calculated"),
        "middle": ("SELECT id, amount FROM base", "calculated"),
        "slow": ("SELECT id FROM middle", "1m"),
        "fast": ("SELECT id FROM middle", "10s"),
        "behind": ("SELECT id FROM slow", "calculated"),
        "hourly": ("SELECT id FROM orders", "@hourly"),
        "alone": ("SELECT id FROM orders", "calculated"),
        "still": ("SELECT id FROM orders", "5s"),
    }
    for name, (query, schedule) in definitions.items():
        orders.execute("SELECT pgtrickle.create_stream_table(%s, %s, %s, initialize => false)", (name, query, schedule))
    orders.execute("SELECT pgtrickle.alter_stream_table('fast', tier => 'warm')")
    orders.execute("SELECT pgtrickle.alter_stream_table('still', tier => 'frozen')")
    orders.execute("SELECT pgtrickle.set_config('default_schedule_seconds', '7')")
    effective = "SELECT name, effective_seconds FROM pgtrickle.effective_schedules()"
    assert {name.removeprefix("public."): seconds for name, seconds in orders.execute(effective).fetchall()} == {
        "base": 20,
        "middle": 20,
        "slow": 60,
        "fast": 20,
        "behind": 7,
        "hourly": None,
        "alone": 7,
        "still": None,
    }
    orders.execute("SELECT pgtrickle.set_config('tiered_scheduling', 'off')")
    assert dict(orders.execute(effective).fetchall())["public.still"] == 5
