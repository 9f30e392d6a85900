"""Instances that are frozen or cut off, are taken over, and come back with work in hand.

Lies it would catch: a frozen instance that keeps its claims, or row locks that everybody waits for; a refresh that is
done twice, or half; an instance that works on without a claim; one that never finds its way back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import psycopg
import pytest
from supervisor.test_group import TABLES, are_owned_by, is_fresh, prepare
from support.databases import OWNER, Database
from support.network import Namespace
from support.partition import Partition
from support.waiting import until

from trickle.db.session import refresh_role

Start = Callable[..., Any]
OTHER_ROLE = "an instance is silent, and its sessions are not ours to end: it has another role"
QUICK = {"heartbeat_seconds": 0.3, "silent_seconds": 1.5}


@pytest.fixture
def conn(db: Database) -> Iterator[psycopg.Connection[Any]]:
    with db.connect() as opened:
        prepare(opened)
        yield opened


def freeze(worker: Any) -> None:
    """The children first: what they are sent after that stays in their pipes."""
    for child in worker.children():
        child.suspend()
    psutil.Process(worker.pid).suspend()


def thaw(worker: Any) -> None:
    psutil.Process(worker.pid).resume()
    for child in worker.children():
        child.resume()


def names_of(conn: psycopg.Connection[Any], instance: str) -> list[str]:
    rows = conn.execute("SELECT pgt_name FROM pgtrickle.ownership WHERE instance_id = %s", (instance,)).fetchall()
    return [str(name) for (name,) in rows]


def refresh_sessions(conn: psycopg.Connection[Any], instance: str, that: str = "true") -> set[int]:
    """The process ids of an instance's refresh sessions."""
    rows = conn.execute(
        f"SELECT pid FROM pg_stat_activity WHERE application_name = %s AND {that}",
        (f"pg_trickle_{refresh_role('default', instance)}",),
    ).fetchall()
    return {int(pid) for (pid,) in rows}


def assert_all_was_done_once(conn: psycopg.Connection[Any]) -> None:
    """Exact results, and no two refreshes of a stream table that overlap or took up the same changes."""
    for number in range(TABLES):
        assert conn.execute("SELECT equal FROM pgtrickle.verify(%s)", (f"st_{number}",)).fetchone() == (True,)
    overlaps = conn.execute(
        "SELECT a.pgt_id, a.start_time, b.start_time FROM pgtrickle.pgt_refresh_history AS a"
        " JOIN pgtrickle.pgt_refresh_history AS b ON b.pgt_id = a.pgt_id AND b.refresh_id > a.refresh_id"
        " AND b.rows_inserted + b.rows_deleted > 0 AND a.rows_inserted + a.rows_deleted > 0"
        " WHERE a.status = 'COMPLETED' AND b.status = 'COMPLETED' AND b.end_time < a.end_time"
    ).fetchall()
    assert not overlaps
    balance = conn.execute(
        "SELECT pgt_name, sum(rows_inserted) - sum(rows_deleted) FROM pgtrickle.pgt_refresh_history"
        " JOIN pgtrickle.pgt_stream_tables USING (pgt_id) WHERE pgt_refresh_history.status = 'COMPLETED'"
        " GROUP BY pgt_name HAVING sum(rows_inserted) - sum(rows_deleted) <> 1"
    ).fetchall()
    assert not balance, "what went in and came out leaves the one row that there is"


def both(conn: psycopg.Connection[Any], start_worker: Start, **options: Any) -> tuple[Any, Any]:
    """Two instances with their shares, awake for long enough to judge each other."""
    a = start_worker(instance_id="a", **{**QUICK, **options})
    b = start_worker(instance_id="b", **QUICK)
    until(lambda: are_owned_by(conn, {"a", "b"}), seconds=20)
    until(lambda: len(a.said("refresh subprocess ready")) >= 2, what="what is frozen can be told something")
    time.sleep(QUICK["silent_seconds"] + 1)
    return a, b


def test_a_frozen_instance_with_refreshes_in_flight(
    db: Database, conn: psycopg.Connection[Any], start_worker: Start
) -> None:
    a, b = both(conn, start_worker)
    lost = names_of(conn, "a")
    with db.connect(autocommit=False) as blocker:
        # A refresh that has begun waits here, in the server, with its row lock.
        for number in range(TABLES):
            blocker.execute(f"LOCK TABLE st_{number} IN SHARE MODE")
        conn.execute("INSERT INTO source VALUES (1, 1)")
        in_flight = until(lambda: refresh_sessions(conn, "a", "wait_event_type = 'Lock'"), what="it is in flight")
        freeze(a)
        frozen_at = time.monotonic()
        until(lambda: are_owned_by(conn, {"b"}), seconds=10)
        assert time.monotonic() - frozen_at < 5
        assert b.said("an instance is silent: its sessions are ended")
        assert not in_flight & refresh_sessions(conn, "a")
        blocker.commit()
    until(lambda: is_fresh(conn), seconds=15)
    thaw(a)
    until(lambda: are_owned_by(conn, {"a", "b"}), seconds=15, what="it wakes up and joins again")
    assert a.said("the lock session is lost: all claims are dropped")
    conn.execute("UPDATE source SET v = 5")
    until(lambda: is_fresh(conn), seconds=15)
    assert sorted(names_of(conn, "a")) == sorted(lost), "the share is the same, because the members are"
    assert_all_was_done_once(conn)
    assert {a.process.poll(), b.process.poll()} == {None}


def test_late_work_of_a_zombie_is_harmless(conn: psycopg.Connection[Any], start_worker: Start) -> None:
    """Only its lock session is ended: its refresh sessions live, and do without a claim what they were told."""
    a, _ = both(conn, start_worker, heartbeat_seconds=20, silent_seconds=60)
    for child in a.children():
        child.suspend()
    conn.execute("INSERT INTO source VALUES (1, 1)")
    until(lambda: "2 jobs in hand" in str(a.lines()[-1]["message"]), what="its frozen subprocesses have been told")
    freeze(a)
    before = len(a.said("refreshed"))
    conn.execute("SELECT pg_terminate_backend(backend_pid, 5000) FROM pgtrickle.pgt_instances WHERE instance_id = 'a'")
    until(lambda: are_owned_by(conn, {"b"}), seconds=10)
    until(lambda: is_fresh(conn), seconds=15)
    conn.execute("UPDATE source SET v = 7")
    thaw(a)
    until(lambda: len(a.said("refreshed")) >= before + 2, what="the late work is done")
    until(lambda: are_owned_by(conn, {"a", "b"}), seconds=15)
    until(lambda: is_fresh(conn), seconds=15)
    assert_all_was_done_once(conn)


def test_a_partition(db: Database, conn: psycopg.Connection[Any], start_worker: Start) -> None:
    with Partition(db.url) as network:
        a, _ = both(conn, start_worker, url=network.url)
        network.cut()
        cut_at = time.monotonic()
        until(lambda: are_owned_by(conn, {"b"}), seconds=10)
        assert time.monotonic() - cut_at < 5
        conn.execute("INSERT INTO source VALUES (1, 1)")
        until(lambda: is_fresh(conn), seconds=15)
        assert a.process.poll() is None
        network.heal()
        until(lambda: are_owned_by(conn, {"a", "b"}), seconds=30)
        conn.execute("UPDATE source SET v = 5")
        until(lambda: is_fresh(conn), seconds=15)
        assert_all_was_done_once(conn)


@pytest.mark.full
def test_a_network_that_loses_every_packet(db: Database, conn: psycopg.Connection[Any], start_worker: Start) -> None:
    """Nobody is told anything: the kernels' own time-outs must wake the instance up, or it would hang for good."""
    conn.execute("ALTER ROLE CURRENT_USER PASSWORD 'secret'")  # TCP asks for one
    url = psycopg.conninfo.make_conninfo(db.server.tcp_url(db.name), user=OWNER, password="secret")
    with Namespace(url) as network:
        b = start_worker(instance_id="b", **QUICK)
        a = start_worker(instance_id="a", url=network.url, prefix=network.prefix, **QUICK)
        until(lambda: are_owned_by(conn, {"a", "b"}), seconds=20)
        time.sleep(QUICK["silent_seconds"] + 1)
        network.cut()
        cut_at = time.monotonic()
        until(lambda: are_owned_by(conn, {"b"}), seconds=10)
        assert time.monotonic() - cut_at < 5
        conn.execute("INSERT INTO source VALUES (1, 1)")
        until(lambda: is_fresh(conn), seconds=15)
        until(lambda: a.said("a turn failed"), seconds=30, what="it knows that it is cut off")
        network.heal()
        until(lambda: are_owned_by(conn, {"a", "b"}), seconds=30)
        conn.execute("UPDATE source SET v = 5")
        until(lambda: is_fresh(conn), seconds=15)
        assert_all_was_done_once(conn)
        assert {a.process.poll(), b.process.poll()} == {None}


def test_whoever_was_frozen_itself_ends_nobody(conn: psycopg.Connection[Any], start_worker: Start) -> None:
    """Both sleep: the first to wake up sees an old heartbeat of the other, and must not judge by it."""
    a, b = both(conn, start_worker)
    freeze(a)
    freeze(b)
    time.sleep(3)
    thaw(a)
    time.sleep(0.5)
    thaw(b)
    time.sleep(2)
    assert are_owned_by(conn, {"a", "b"})
    for worker in (a, b):
        assert not worker.said("an instance is silent: its sessions are ended")
        assert not worker.said("the lock session is lost: all claims are dropped")


def test_only_sessions_of_the_silent_instance_are_ended(
    db: Database, conn: psycopg.Connection[Any], start_worker: Start
) -> None:
    """A row that somebody wrote, with the process id of a stranger, ends nobody."""
    start_worker(instance_id="a", **QUICK)
    until(lambda: are_owned_by(conn, {"a"}))
    with db.connect() as stranger:
        pid = stranger.info.backend_pid
        conn.execute(
            "INSERT INTO pgtrickle.pgt_instances (instance_id, group_id, backend_pid, heartbeat_at)"
            " VALUES ('ghost', 'default', %s, now() - interval '1 minute')",
            (pid,),
        )
        stranger.execute("SELECT pg_advisory_lock(hashtext('default'), hashtext('instance:ghost'))")
        time.sleep(QUICK["silent_seconds"] * 3)
        assert stranger.execute("SELECT 1").fetchone() == (1,), "it holds the membership, and is no lock session"


def test_an_instance_of_another_role_is_left_alone(
    db: Database, conn: psycopg.Connection[Any], start_worker: Start
) -> None:
    """Sessions of another role cannot be ended: that is said once, and the silent one is seen to be silent."""
    role = db.create_role(attributes=f"LOGIN IN ROLE {OWNER}")
    a, b = both(conn, start_worker, url=db.url_as(role))
    freeze(a)
    until(lambda: b.said(OTHER_ROLE), seconds=10)
    time.sleep(1)
    assert len(b.said(OTHER_ROLE)) == 1
    assert are_owned_by(conn, {"a", "b"})
    silent = "SELECT is_live, heartbeat_age > interval '1.5 s' FROM pgtrickle.instances ORDER BY instance_id"
    assert conn.execute(silent).fetchall() == [(True, True), (True, False)]
    thaw(a)
    conn.execute("INSERT INTO source VALUES (1, 1)")
    until(lambda: is_fresh(conn), seconds=20)
