"""Jobs that are made by the clock: each moment once, however many runners there are, and missed ones made up for once.

Lies it would catch: a moment for which two runners make a job each; a night without a runner that brings a hundred jobs
in the morning; a schedule nobody can read that stops all the others.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.runners import Conn, await_that, running

from trickle.jobs.registry import Registry
from trickle.jobs.schedules import next_moment


@pytest.fixture
def idle(registry: Registry) -> Registry:
    """A handler of another queue: what schedules make stays where it is."""
    registry.job("none")(lambda data: None)
    return registry


def schedule(conn: Conn, name: str, cron: str, **options: object) -> None:
    named = "".join(f", {key} => %({key})s" for key in options)
    conn.execute(
        f"SELECT pgtrickle.schedule_job(%(schedule)s, %(cron)s, 'q'{named})".encode(),
        {"schedule": name, "cron": cron, **options},
    )


def made(conn: Conn) -> list[tuple[Any, ...]]:
    return conn.execute("SELECT name, data, state FROM pgtrickle.job ORDER BY id").fetchall()


def plan(conn: Conn, name: str) -> Any:
    row = conn.execute("SELECT next_on FROM pgtrickle.job_schedules WHERE schedule_name = %s", (name,)).fetchone()
    assert row is not None
    return row[0]


def problems(conn: Conn) -> dict[str, Any]:
    return dict(conn.execute("SELECT schedule_name, problem FROM pgtrickle.job_schedules").fetchall())


def set_back(conn: Conn) -> None:
    """As if all that is planned had been missed for a day."""
    conn.execute("UPDATE pgtrickle.job_schedules SET next_on = now() - interval '1 day'")


def test_every_second_is_made_once(db: Database, conn: Conn, idle: Registry) -> None:
    schedule(conn, "s", "* * * * * *", data='{"n": 1}', may_overlap=True)
    with running(db.url, idle), running(db.url, idle), running(db.url, idle):
        await_that(lambda: len(made(conn)) >= 4)
    seconds = conn.execute("SELECT date_trunc('second', created_on) FROM pgtrickle.job ORDER BY id").fetchall()
    assert len(set(seconds)) == len(seconds)
    assert made(conn)[0] == ("q", {"n": 1}, "created")


def test_what_was_missed_is_made_up_for_once(db: Database, conn: Conn, idle: Registry) -> None:
    schedule(conn, "hourly", "@hourly", may_overlap=True)
    with running(db.url, idle):
        await_that(lambda: plan(conn, "hourly") is not None)
    assert made(conn) == [], "what was never planned was not missed"
    set_back(conn)
    with running(db.url, idle), running(db.url, idle):
        await_that(lambda: plan(conn, "hourly") > datetime.now(UTC))
    assert len(made(conn)) == 1


def test_none_is_made_while_the_last_has_not_ended(db: Database, conn: Conn, idle: Registry) -> None:
    schedule(conn, "alone", "@hourly")
    with running(db.url, idle):
        await_that(lambda: plan(conn, "alone") is not None)
        for _ in range(2):
            set_back(conn)
            await_that(lambda: plan(conn, "alone") > datetime.now(UTC))
        assert len(made(conn)) == 1
        seen = conn.execute("SELECT skipped, last_job IS NOT NULL FROM pgtrickle.job_schedules").fetchall()
        assert seen == [(1, True)]
        conn.execute("SELECT pgtrickle.cancel_job(id) FROM pgtrickle.job")
        set_back(conn)
        await_that(lambda: len(made(conn)) == 2)


def test_one_nobody_can_read_keeps_no_other_from_its_turn(db: Database, conn: Conn, idle: Registry) -> None:
    schedule(conn, "a", "@hourly")
    schedule(conn, "b", "@hourly")
    schedule(conn, "off", "* * * * * *", enabled=False)
    conn.execute("UPDATE pgtrickle.job_schedules SET time_zone = 'Mars/Olympus' WHERE schedule_name = 'a'")
    with running(db.url, idle):
        await_that(lambda: plan(conn, "b") is not None and problems(conn)["a"] is not None)
    assert "Mars/Olympus" in problems(conn)["a"]
    assert plan(conn, "off") is None and made(conn) == []
    schedule(conn, "a", "@hourly")
    with running(db.url, idle):
        await_that(lambda: plan(conn, "a") is not None)
    assert problems(conn)["a"] is None


def test_a_schedule_is_replaced_and_removed(conn: Conn) -> None:
    schedule(conn, "s", "@hourly")
    conn.execute("UPDATE pgtrickle.job_schedules SET next_on = '2100-01-01'")
    schedule(conn, "s", "@hourly", data='{"other": true}')
    assert plan(conn, "s").year == 2100, "other data, and the same moments"
    schedule(conn, "s", "@daily")
    assert plan(conn, "s") is None
    removed = [conn.execute("SELECT pgtrickle.unschedule_job('s')").fetchone() for _ in range(2)]
    assert removed == [(True,), (False,)]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("'s', 'now and then', 'q'", "not a cron expression"),
        ("'s', NULL, 'q'", "not a cron expression"),
        ("'s', '@hourly', 'q', time_zone => 'Mars/Olympus'", "no time zone"),
        ("'', '@hourly', 'q'", "check constraint"),
        ("'s', '@hourly', ''", "check constraint"),
        ("'s', '@hourly', 'q', dead_letter => 'q'", "check constraint"),
    ],
)
def test_wrong_ones_are_refused(conn: Conn, call: str, says: str) -> None:
    with pytest.raises(psycopg.Error, match=says):
        conn.execute(f"SELECT pgtrickle.schedule_job({call})".encode())
    assert conn.execute("SELECT count(*) FROM pgtrickle.job_schedules").fetchone() == (0,)


def test_moments_are_those_of_the_clock_on_the_wall() -> None:
    night = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    assert next_moment("0 9 * * *", "Europe/Berlin", night) == (datetime(2026, 3, 29, 7, 0, tzinfo=UTC), None)
    assert next_moment("0 9 * * *", "UTC", night) == (datetime(2026, 3, 29, 9, 0, tzinfo=UTC), None)
    assert "Nowhere" in str(next_moment("@daily", "Nowhere/Now", night)[1])
