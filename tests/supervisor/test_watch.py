"""The watch on a real server: a death is heard at once, a long wait is bounded, and nobody is in the way."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from supervisor.test_group import TABLES, are_owned_by, owners, prepare
from support.databases import Database
from support.waiting import until

from trickle.db.locks import LockKey, LockName, LockSession
from trickle.supervisor import watch as watching
from trickle.supervisor.watch import Watch

Start = Callable[..., Any]
PEER = LockName("g", "instance:peer")


@pytest.fixture
def peer(db: Database) -> Iterator[LockSession]:
    opened = LockSession(db.url)
    opened.take([PEER])
    yield opened
    opened.close()


@pytest.fixture
def watch(db: Database) -> Iterator[Watch]:
    opened = Watch(db.url)
    yield opened
    opened.close()


def refuse(_: int) -> None:
    raise AssertionError("nothing was to be cancelled")


def aim(watch: Watch, key: LockKey | None) -> None:
    watch.aim(key, time.monotonic(), refuse)


def heard(watch: Watch, seconds: float) -> bool:
    """Whether the end of the peer is heard within this time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select(watch.waits_on(), [], [], left)[0] and watch.hear(time.monotonic()):
            return True
    return False


def waiting(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return conn.execute(
        "SELECT pid, query_start FROM pg_stat_activity WHERE application_name = 'pg_trickle_watch'"
        " AND datname = current_database() AND wait_event_type = 'Lock'"
    ).fetchall()


def test_an_end_is_heard_at_once(db: Database, peer: LockSession, watch: Watch) -> None:
    aim(watch, peer.key_of(PEER))
    with db.connect() as conn:
        until(lambda: waiting(conn))
        conn.execute("SELECT pg_terminate_backend(%s, 5000)", (peer.backend_pid,))
    assert heard(watch, 2)


def test_a_release_counts_as_an_end_and_the_peer_may_take_it_again(
    db: Database, peer: LockSession, watch: Watch
) -> None:
    aim(watch, peer.key_of(PEER))
    with db.connect() as conn:
        until(lambda: waiting(conn))
    peer.release([PEER])
    assert heard(watch, 2)
    assert peer.take([PEER]) == {PEER}, "the watch keeps nothing"


def test_a_wait_is_bounded_and_taken_up_again(
    db: Database, peer: LockSession, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PATIENCE_SECONDS", 0.3)
    log = db.server.data_dir / "cluster" / "server.log"
    said_before = len(log.read_text())
    aim(watch, peer.key_of(PEER))
    with db.connect() as conn:
        first = until(lambda: waiting(conn))

        def waits_again() -> list[tuple[Any, ...]]:
            assert not heard(watch, 0.05), "patience that has run out is no end"
            return [row for row in waiting(conn) if row[1] > first[0][1]]

        second = until(waits_again)
        assert first[0][0] == second[0][0], "the same session, another statement"
    peer.release([PEER])
    assert heard(watch, 2)
    assert "lock timeout" not in log.read_text()[said_before:], "it is no error that patience runs out"


def test_another_is_watched_without_waiting_for_the_first(db: Database, peer: LockSession, watch: Watch) -> None:
    other = LockName("g", "instance:other")
    with db.connect() as conn:
        aim(watch, peer.key_of(PEER))
        until(lambda: waiting(conn))
        second = LockSession(db.url)
        second.take([other])
        watch.aim(peer.key_of(other), time.monotonic(), peer.cancel_watch)
        assert not heard(watch, 0.5)
        second.close()
        assert heard(watch, 1)


def test_a_lost_session_is_opened_again(db: Database, peer: LockSession, watch: Watch) -> None:
    aim(watch, peer.key_of(PEER))
    with db.connect() as conn:
        ((pid, _),) = until(lambda: waiting(conn))
        conn.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        assert not heard(watch, 0.5)
        assert watch.waits_on() == []

        def is_back() -> bool:
            aim(watch, peer.key_of(PEER))
            return bool(waiting(conn))

        until(is_back, seconds=5)
    peer.release([PEER])
    assert heard(watch, 2)


def test_nobody_to_watch_needs_no_session(watch: Watch) -> None:
    aim(watch, None)
    assert watch.waits_on() == []


def test_instances_take_over_long_before_the_next_tick(db: Database, start_worker: Start) -> None:
    """With ticks of a minute nothing but the watch and the doorbell can tell them."""
    slow = {"tick_seconds": 60.0, "children": 1, "heartbeat_seconds": 20.0, "silent_seconds": 60.0}
    with db.connect() as conn:
        prepare(conn)
        workers = {name: start_worker(instance_id=name, **slow) for name in ("a", "b", "c", "d")}
        for worker in workers.values():
            until(lambda worker=worker: worker.said("joined"), seconds=20)
        until(lambda: are_owned_by(conn, set(workers)), seconds=3, what="whoever joins gets its share at once")
        until(lambda: len(waiting(conn)) == 4, what="everyone is watched")
        for name in ("b", "c"):  # neighbours, at once
            workers.pop(name).kill()
        killed_at = time.monotonic()
        until(lambda: are_owned_by(conn, set(workers)), seconds=10)
        assert time.monotonic() - killed_at < 3
        workers.pop("a").terminate()
        until(lambda: are_owned_by(conn, {"d"}), seconds=10)
        assert len(owners(conn)) == TABLES
        assert until(lambda: waiting(conn) == []), "the last one watches nobody"
