"""Pausing, resuming and draining: what is in hand ends first, nothing begins by itself, and nothing is lost.

Lies it would catch: a refresh that was already given out and runs after the pause was committed; a refresh by hand
that ends the pause; a setting of seconds that is taken for milliseconds.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, InvalidParameterValue, LockNotAvailable, UndefinedTable
from support.databases import Database
from support.waiting import until


@pytest.fixture
def owner(db: Database) -> Iterator[psycopg.Connection[Any]]:
    with db.connect() as conn:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
        for name in ("a", "b"):
            conn.execute("SELECT pgtrickle.create_stream_table(%s, 'SELECT sum(v) AS s FROM source')", (name,))
        conn.execute(
            "SELECT pgtrickle.create_stream_table('kept', 'SELECT id, v FROM source', refresh_mode => 'IMMEDIATE')"
        )
        conn.execute("INSERT INTO source VALUES (1, 10)")
        yield conn


def one(conn: psycopg.Connection[Any], question: str) -> Any:
    row = conn.execute(question.encode()).fetchone()
    return row[0] if row else None


def states(conn: psycopg.Connection[Any]) -> dict[str, str]:
    return dict(conn.execute("SELECT pgt_name, status FROM pgtrickle.pgt_stream_tables").fetchall())


def scheduled(conn: psycopg.Connection[Any], name: str) -> str:
    """What a worker does that was told to refresh it."""
    of = f"(SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = '{name}')"
    return str(one(conn, f"SELECT action FROM pgtrickle._refresh({of}, 'SCHEDULER')"))


def test_some_are_paused_and_resumed(owner: psycopg.Connection[Any]) -> None:
    assert one(owner, "SELECT pgtrickle.pause_scheduler(ARRAY['a'])") == "OK"
    assert states(owner)["a"] == "PAUSED"
    assert states(owner)["b"] != "PAUSED"
    assert scheduled(owner, "a") == "NO_DATA"
    assert one(owner, "SELECT s FROM a") is None
    assert one(owner, "SELECT pgtrickle.is_drained()") is False
    assert one(owner, "SELECT pgtrickle.resume_scheduler(ARRAY['a', 'b'])") == "OK"
    assert one(owner, "SELECT pgtrickle.resume_scheduler(ARRAY['a'])") == "OK"
    assert scheduled(owner, "a") != "NO_DATA"
    assert one(owner, "SELECT s FROM a") == 10


def test_by_hand_it_is_refreshed_and_stays_paused(owner: psycopg.Connection[Any]) -> None:
    owner.execute("SELECT pgtrickle.pause_scheduler(ARRAY['a'])")
    owner.execute("SELECT pgtrickle.refresh_stream_table('a')")
    assert one(owner, "SELECT s FROM a") == 10
    assert states(owner)["a"] == "PAUSED"


def test_everything_is_drained_until_it_is_resumed(owner: psycopg.Connection[Any]) -> None:
    assert one(owner, "SELECT pgtrickle.drain()") is True
    assert one(owner, "SELECT pgtrickle.is_drained()") is True
    assert states(owner) == {"a": "PAUSED", "b": "PAUSED", "kept": states(owner)["kept"]}
    owner.execute("INSERT INTO source VALUES (2, 5)")
    assert one(owner, "SELECT sum(v) FROM kept") == 15, "whom its writers keep goes on"
    assert (scheduled(owner, "a"), scheduled(owner, "b")) == ("NO_DATA", "NO_DATA")
    owner.execute("SELECT pgtrickle.resume_all()")
    assert one(owner, "SELECT pgtrickle.is_drained()") is False
    scheduled(owner, "b")
    assert one(owner, "SELECT s FROM b") == 15


def test_what_is_in_hand_ends_first(owner: psycopg.Connection[Any], db: Database) -> None:
    scheduled(owner, "a")
    owner.execute("INSERT INTO source VALUES (2, 5)")
    with db.connect(autocommit=False) as busy, db.connect() as asking:
        scheduled(busy, "a")
        assert one(owner, "SELECT pgtrickle.drain(1)") is False
        assert "PAUSED" not in states(owner).values()
        owner.execute("SELECT pgtrickle.set_config('scheduler_drain_timeout', '1')")
        with pytest.raises(LockNotAvailable, match="did not end within 1 seconds"):
            owner.execute("SELECT pgtrickle.pause_all()")
        answers: list[Any] = []
        waiting = threading.Thread(target=lambda: answers.append(one(asking, "SELECT pgtrickle.drain(60)")))
        waiting.start()
        until(lambda: one(owner, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 1)
        busy.commit()
        waiting.join(20)
        assert answers == [True]
        assert one(owner, "SELECT s FROM a") == 15, "its work was not lost"


def test_who_waited_behind_the_pause_does_not_refresh(owner: psycopg.Connection[Any], db: Database) -> None:
    scheduled(owner, "a")
    owner.execute("INSERT INTO source VALUES (2, 5)")
    with db.connect(autocommit=False) as pausing, db.connect() as worker:
        assert one(pausing, "SELECT pgtrickle.drain()") is True
        said: list[str] = []
        late = threading.Thread(target=lambda: said.append(scheduled(worker, "a")))
        late.start()
        until(lambda: one(owner, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 1)
        pausing.commit()
        late.join(20)
    assert said == ["NO_DATA"]
    assert one(owner, "SELECT s FROM a") == 10


def test_bad_input(owner: psycopg.Connection[Any], db: Database) -> None:
    with pytest.raises(UndefinedTable, match="stream table not found: public\\.nobody"):
        owner.execute("SELECT pgtrickle.pause_scheduler(ARRAY['a', 'nobody'])")
    assert "PAUSED" not in states(owner).values()
    told: list[str] = []
    owner.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
    assert one(owner, "SELECT pgtrickle.pause_scheduler(ARRAY['a', NULL])") == "OK"
    assert told == ["a NULL among the names of stream tables is ignored"]
    owner.execute("SELECT pgtrickle.set_config('drain_timeout', 'soon')")
    with pytest.raises(InvalidParameterValue, match="the setting drain_timeout is not a time: 'soon'"):
        owner.execute("SELECT pgtrickle.drain(0)")
    clerk = db.create_role()
    with db.connect_as(clerk) as stranger, pytest.raises(InsufficientPrivilege):
        stranger.execute("SELECT pgtrickle.drain()")


@pytest.mark.parametrize(
    ("text", "seconds"), [("2", 2), ("0.5", 0.5), ("500ms", 0.5), ("2min", 120), ("1h", 3600), ("1d", 86400)]
)
def test_a_time_counts_seconds_unless_it_says_otherwise(
    owner: psycopg.Connection[Any], text: str, seconds: float
) -> None:
    owner.execute("SELECT pgtrickle.set_config('capture_lock_timeout', %s)", (text,))
    assert one(owner, "SELECT pgtrickle._setting_seconds('capture_lock_timeout', '9s')") == seconds
