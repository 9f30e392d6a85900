"""Writers wake the instance. The tick is so long that whatever was not told is not seen in time.

Lies it would catch: a change that commits late, after the instance has looked and gone to sleep, and is told by nobody;
one that another instance was told of; writers that all notify, or that wait for one another.
"""

from __future__ import annotations

import random
import select
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.waiting import until

from trickle.db.locks import LockSession
from trickle.supervisor.wake import OPENED, PORTION

Start = Callable[..., Any]
TICK = 30.0
SOON = 5.0
"""Seconds; a loaded machine is patient, and the tick is farther away."""


def prepare(db: Database, tables: int = 1) -> None:
    with db.connect() as conn:
        conn.execute("SELECT pgtrickle.set_config('event_driven_wake', 'on')")
        for number in range(tables):
            conn.execute(f"CREATE TABLE source_{number} (id bigint GENERATED ALWAYS AS IDENTITY, writer int)".encode())
            conn.execute(
                "SELECT pgtrickle.create_stream_table(%s, %s, schedule => 'calculated')",
                (f"st_{number}", f"SELECT writer, count(*) AS n FROM source_{number} GROUP BY writer"),
            )


def armed(conn: psycopg.Connection[Any]) -> set[int]:
    rows = conn.execute(
        "SELECT l.objid::int FROM pg_locks l"
        " WHERE l.locktype = 'advisory' AND l.classid = pgtrickle._bell_class()::bigint"
        " AND l.mode = 'ExclusiveLock' AND l.granted"
        " AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())"
    ).fetchall()
    return {int(bell) for (bell,) in rows}


def ready(worker: Any, tables: int) -> bool:
    return len(worker.said("compiled")) >= tables


def await_asleep(conn: psycopg.Connection[Any], bells: int) -> None:
    until(lambda: len(armed(conn)) == bells, seconds=2 * TICK)


def number_of(conn: psycopg.Connection[Any], table: str) -> int:
    row = conn.execute(f"SELECT coalesce(sum(n), 0)::int FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_a_commit_is_followed_long_before_the_tick(db: Database, start_worker: Start) -> None:
    prepare(db)
    worker = start_worker(tick_seconds=TICK)
    with db.connect() as conn:
        until(lambda: ready(worker, 1), seconds=2 * TICK)
        await_asleep(conn, 1)
        for turn in range(1, 6):
            conn.execute("INSERT INTO source_0 (writer) VALUES (1)")
            until(lambda turn=turn: number_of(conn, "st_0") == turn, seconds=SOON)  # type: ignore[misc]


def test_who_finds_the_bell_open_and_commits_late_is_not_missed(db: Database, start_worker: Start) -> None:
    prepare(db)
    worker = start_worker(tick_seconds=TICK)
    with db.connect() as conn, db.connect(autocommit=False) as late:
        until(lambda: ready(worker, 1), seconds=2 * TICK)
        await_asleep(conn, 1)
        # The first rings; the second writes while the bell is open, and commits when the first is long worked off.
        with db.connect() as blocker:
            blocker.execute("BEGIN")
            blocker.execute("LOCK TABLE st_0 IN EXCLUSIVE MODE")
            conn.execute("INSERT INTO source_0 (writer) VALUES (1)")
            until(lambda: not armed(conn))
            late.execute("INSERT INTO source_0 (writer) VALUES (2)")
            blocker.execute("ROLLBACK")
        until(lambda: number_of(conn, "st_0") == 1, seconds=SOON)
        time.sleep(1)
        assert not armed(conn), "nobody arms it behind the back of a writer in flight"
        late.commit()
        until(lambda: number_of(conn, "st_0") == 2, seconds=SOON)
        await_asleep(conn, 1)


def test_of_many_commits_few_notify(db: Database, start_worker: Start) -> None:
    prepare(db)
    worker = start_worker(tick_seconds=TICK)
    with db.connect() as conn, db.connect() as ear:
        until(lambda: ready(worker, 1), seconds=2 * TICK)
        await_asleep(conn, 1)
        ear.execute("LISTEN pgtrickle_wake")
        for _ in range(2000):
            conn.execute("INSERT INTO source_0 (writer) VALUES (1)")
        until(lambda: number_of(conn, "st_0") == 2000, seconds=SOON)
        rung = [note for note in ear.notifies(timeout=0.5) if note.payload.isdecimal()]
        # On a machine where the instance gets no processor for a while the bell stays armed for as long.
        assert 0 < len(rung) < 500, f"{len(rung)} of 2000 commits notified"


@pytest.mark.parametrize("instances", [pytest.param(1, marks=pytest.mark.full), 2])
def test_nothing_is_missed_under_writers_of_all_kinds(db: Database, start_worker: Start, instances: int) -> None:
    """Short and long transactions, with rollbacks and savepoints, meet the bell in every state."""
    tables = 4
    prepare(db, tables)
    workers = [start_worker(tick_seconds=TICK, instance_id=f"i{number}") for number in range(instances)]
    with db.connect() as conn:
        until(lambda: sum(len(worker.said("compiled")) for worker in workers) >= tables, seconds=2 * TICK)
        await_asleep(conn, tables)
        for turn in range(8):
            threads = [
                threading.Thread(target=write, args=(db, random.Random(f"{turn} {number}"), tables))
                for number in range(6)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for number in range(tables):
                query = f"SELECT count(*) FROM source_{number}".encode()
                (wanted,) = conn.execute(query).fetchone() or (0,)
                until(lambda n=number, w=wanted: number_of(conn, f"st_{n}") == w, seconds=SOON)  # type: ignore[misc]


def test_one_source_may_have_more_readers_than_are_looked_at_at_once(db: Database, start_worker: Start) -> None:
    readers = 3 * PORTION
    prepare(db)
    with db.connect() as conn:
        for number in range(1, readers):
            conn.execute(
                "SELECT pgtrickle.create_stream_table(%s, %s, schedule => 'calculated')",
                (
                    f"st_{number}",
                    f"SELECT writer, count(*) AS n FROM source_0 WHERE writer > {-number} GROUP BY writer",
                ),
            )
        worker = start_worker(tick_seconds=TICK)
        until(lambda: ready(worker, readers), seconds=2 * TICK)
        await_asleep(conn, 1)
        written, ends_at = 0, time.monotonic() + 2
        while time.monotonic() < ends_at:
            conn.execute("INSERT INTO source_0 (writer) VALUES (1)")
            written += 1
            time.sleep(0.002)
        for number in range(readers):
            until(lambda n=number: number_of(conn, f"st_{n}") == written, seconds=SOON)  # type: ignore[misc]
        await_asleep(conn, 1)


def write(db: Database, chance: random.Random, tables: int) -> None:
    with db.connect() as conn:
        for _ in range(chance.randint(5, 25)):
            insert = f"INSERT INTO source_{chance.randrange(tables)} (writer) VALUES (1)".encode()
            conn.execute("BEGIN")
            conn.execute("SAVEPOINT s")
            conn.execute(insert)
            if chance.random() < 0.2:
                conn.execute("ROLLBACK TO SAVEPOINT s")
            time.sleep(chance.choice([0, 0, 0.001, 0.005, 0.03, 0.2]))
            if chance.random() < 0.3:
                conn.execute(insert)
            conn.execute("ROLLBACK" if chance.random() < 0.1 else "COMMIT")
            time.sleep(chance.choice([0, 0, 0.002, 0.01, 0.05]))


def test_what_is_refreshed_by_hand_wakes_what_reads_it(db: Database, start_worker: Start) -> None:
    """Between scheduled stream tables there is no bell: who refreshes tells."""
    prepare(db)
    with db.connect() as conn:
        conn.execute("SELECT pgtrickle.alter_stream_table('st_0', schedule => '1h')")
        conn.execute(
            "SELECT pgtrickle.create_stream_table('above', 'SELECT writer, n FROM st_0', schedule => 'calculated')"
        )
        worker = start_worker(tick_seconds=TICK)
        until(lambda: ready(worker, 2), seconds=2 * TICK)
        await_asleep(conn, 1)
        time.sleep(1)
        conn.execute("INSERT INTO source_0 (writer) VALUES (1)")
        conn.execute("SELECT pgtrickle.refresh_stream_table('st_0')")
        until(lambda: number_of(conn, "above") == 1, seconds=SOON)


def test_a_prepared_transaction_is_not_refused_unless_asked_for(db: Database, start_worker: Start) -> None:
    """The server of the tests allows prepared transactions."""
    prepare(db)
    with db.connect() as conn:
        conn.execute("SELECT pgtrickle.set_config('event_driven_wake', NULL)")
        start_worker()
        until(lambda: conn.execute("SELECT count(*) FROM pgtrickle.ownership").fetchone() == (1,))
        time.sleep(1)
        assert not armed(conn)
        conn.execute("BEGIN")
        conn.execute("INSERT INTO source_0 (writer) VALUES (1)")
        conn.execute("PREPARE TRANSACTION 'wake'")
        conn.execute("COMMIT PREPARED 'wake'")
        until(lambda: number_of(conn, "st_0") == 1, seconds=SOON)


def test_the_setting_is_followed_while_the_instance_runs(db: Database, start_worker: Start) -> None:
    prepare(db)
    worker = start_worker(discovery_seconds=1.0)
    with db.connect() as conn:
        await_asleep(conn, 1)
        conn.execute("SELECT pgtrickle.set_config('event_driven_wake', 'off')")
        until(lambda: not armed(conn))
        conn.execute("INSERT INTO source_0 (writer) VALUES (1)")
        until(lambda: number_of(conn, "st_0") == 1, seconds=SOON)
        worker.terminate()
        worker.wait()


def test_everybody_may_call_nonsense(db: Database, start_worker: Start) -> None:
    prepare(db)
    worker = start_worker(tick_seconds=TICK)
    with db.connect() as conn:
        until(lambda: ready(worker, 1), seconds=2 * TICK)
        await_asleep(conn, 1)
        for payload in (
            "",
            " ",
            "good morning",
            "open",
            "due x",
            "open 1 -1",
            "due 99999",
            "9" * 300,
            "1 2 3",
            "due 1\n",
        ):
            conn.execute("SELECT pg_notify('pgtrickle_wake', %s)", (payload,))
        conn.execute("INSERT INTO source_0 (writer) VALUES (1)")
        until(lambda: number_of(conn, "st_0") == 1, seconds=SOON)
        assert worker.process.poll() is None


def test_a_call_that_comes_with_an_answer_is_heard(db: Database) -> None:
    """The session is readable no more: whoever waits for that waits for the next call."""
    ear = LockSession(db.url, "pgtrickle_wake")
    try:
        with db.connect() as conn:
            conn.execute("NOTIFY pgtrickle_wake, '7'")
        until(lambda: select.select([ear], [], [], 0)[0])
        assert ear.is_intact()
        assert not select.select([ear], [], [], 0)[0]
        assert ear.has_rung
        assert ear.doorbells() == ["7"]
        assert not ear.has_rung
    finally:
        ear.close()


def test_nobody_has_to_call_who_may_not_work(db: Database, start_worker: Start) -> None:
    prepare(db)
    start_worker(discovery_seconds=1.0)
    with db.connect() as conn:
        await_asleep(conn, 1)
        conn.execute("SELECT pgtrickle.set_config('enabled', 'off')")
        until(lambda: not armed(conn))
        conn.execute("INSERT INTO source_0 (writer) VALUES (1)")
        conn.execute("SELECT pgtrickle.set_config('enabled', 'on')")
        until(lambda: number_of(conn, "st_0") == 1, seconds=SOON)
        await_asleep(conn, 1)


def test_who_opens_a_bell_tells_the_others(db: Database) -> None:
    with db.connect() as conn:
        conn.execute("INSERT INTO pgtrickle.pgt_instances (group_id, instance_id) VALUES ('g', 'a'), ('g', 'b')")
    one, other = LockSession(db.url), LockSession(db.url, "pgtrickle_wake")
    try:
        assert one.arm_bells([3, 4]) == {3: one.backend_pid, 4: one.backend_pid}
        assert other.arm_bells([3]) == {3: one.backend_pid}
        with db.connect(autocommit=False) as writer:
            writer.execute("SELECT pg_try_advisory_xact_lock_shared(pgtrickle._bell_class(), 5)")
            assert other.arm_bells([5]) == {5: None}
        one.open_bells([3], f"{OPENED} 3")
        assert until(other.doorbells) == [f"{OPENED} 3"]
        assert other.arm_bells([3, 5]) == {3: other.backend_pid, 5: other.backend_pid}
        one.close()
        assert until(lambda: other.arm_bells([4]) == {4: other.backend_pid})
    finally:
        one.close()
        other.close()
