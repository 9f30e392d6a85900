"""kill -9, again and again, of refresh subprocesses and of whole instances, under load.

Lies it would catch: a refresh whose data was committed without its frontier, or the other way round; a change
applied again by the successor; a claim that dies with nobody; a log queue that a dead subprocess keeps locked; a
subprocess that outlives its parent; a table given up because its workers died.
Oracle: PostgreSQL; when the load has ended every stream table must become equal to its query by itself.
"""

from __future__ import annotations

import random
import signal
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.waiting import until

from chaos.conftest import Start
from chaos.load import assert_settled, load

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]


def refreshes(connection: psycopg.Connection[Any]) -> int:
    """How many refreshes have been recorded."""
    row = connection.execute("SELECT count(*) FROM pgtrickle.pgt_refresh_history").fetchone()
    return int(row[0]) if row else 0


def kill_subprocesses(shop: Database, start: Start, watcher: psycopg.Connection[Any], times: int) -> None:
    draw = random.Random(times)
    instance = start(children=3)
    with load(shop.url):
        for _ in range(times):
            before = refreshes(watcher)
            victim = draw.choice(instance.wait_for_children())
            # Now and then at once, now and then in the middle of work.
            if draw.random() < 0.7:
                until(lambda before=before: refreshes(watcher) > before, seconds=60, what="work goes on")
            if victim.is_running():
                victim.kill()
            assert instance.process.poll() is None, instance.log.read_text()[-2000:]
    assert_settled(watcher)
    if times >= 100:
        assert "lost with its subprocess" in instance.log.read_text(), "no kill met a job in hand: it tried nothing"
    size = instance.log_size()
    watcher.execute("UPDATE orders SET amount = amount + 1")
    assert_settled(watcher)
    until(lambda: instance.log_size() > size, seconds=10, what="subprocesses started last are still heard")
    assert instance.drain() == 0
    assert not instance.orphans()


def kill_instances(shop: Database, start: Start, watcher: psycopg.Connection[Any], times: int) -> None:
    draw = random.Random(times)
    instances = [start(children=2) for _ in range(2)]
    with load(shop.url):
        for _ in range(times):
            before = refreshes(watcher)
            until(lambda before=before: refreshes(watcher) > before + 2, seconds=60, what="the others take over")
            victim = instances.pop(draw.randrange(len(instances)))
            victim.wait_for_children()
            victim.kill()
            until(lambda victim=victim: not victim.orphans(), seconds=15, what="no orphan")
            instances.append(start(children=2))
    assert_settled(watcher)
    for instance in instances:
        assert instance.drain() == 0
        assert not instance.orphans()
    until(lambda: sessions(watcher) == 0, seconds=15, what="no session is left")


def sessions(connection: psycopg.Connection[Any]) -> int:
    """How many sessions of instances there are."""
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pg\\_trickle\\_%%'"
        " AND datname = current_database()",
        (),
    ).fetchone()
    return int(row[0]) if row else -1


def test_refresh_subprocesses_are_killed(shop: Database, start: Start, watcher: psycopg.Connection[Any]) -> None:
    kill_subprocesses(shop, start, watcher, 15)


def test_instances_are_killed(shop: Database, start: Start, watcher: psycopg.Connection[Any]) -> None:
    kill_instances(shop, start, watcher, 4)


@pytest.mark.full
def test_refresh_subprocesses_are_killed_two_hundred_times(
    shop: Database, start: Start, watcher: psycopg.Connection[Any]
) -> None:
    kill_subprocesses(shop, start, watcher, 200)


@pytest.mark.full
def test_instances_are_killed_fifty_times(shop: Database, start: Start, watcher: psycopg.Connection[Any]) -> None:
    kill_instances(shop, start, watcher, 50)


def test_a_stopped_subprocess_that_goes_on_later_harms_nothing(
    shop: Database, start: Start, watcher: psycopg.Connection[Any]
) -> None:
    instance = start(children=2)
    with load(shop.url):
        for _ in range(3):
            victim = instance.wait_for_children()[0]
            victim.send_signal(signal.SIGSTOP)
            before = refreshes(watcher)
            until(lambda before=before: refreshes(watcher) > before + 2, seconds=30, what="the others work on")
            victim.send_signal(signal.SIGCONT)
    assert_settled(watcher)


@pytest.mark.full
def test_a_subprocess_that_stays_stopped_is_replaced(
    shop: Database, start: Start, watcher: psycopg.Connection[Any]
) -> None:
    """Alone in its instance, with a job in hand, it holds everything up until its limit has passed."""
    instance = start(children=1, refresh_seconds=2)
    with load(shop.url):
        victim = instance.wait_for_children()[0]
        before = refreshes(watcher)
        until(lambda: refreshes(watcher) > before, seconds=30)
        victim.send_signal(signal.SIGSTOP)
        until(lambda: not victim.is_running(), seconds=90, what="the stopped subprocess is ended")
    assert_settled(watcher)
