"""Consumers of a group share its messages: each is with one of them at a time, comes again when it was not committed in
time, and none is skipped, however late its transaction commits.

Lies it would catch: two consumers at work on one message; a lease that is committed by who lost it; a message that got
its id early and was committed late; a publisher that waits for a poller.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import (
    DuplicateObject,
    InsufficientPrivilege,
    InvalidParameterValue,
    NullValueNotAllowed,
    ObjectNotInPrerequisiteState,
    UndefinedObject,
    WrongObjectType,
)
from psycopg.types.json import Jsonb
from support.databases import Database

from trickle.worker.bench import Limits, Workbench
from trickle.worker.jobs import perform
from trickle.worker.protocol import Survey

Conn = psycopg.Connection[Any]


@pytest.fixture
def box(db: Database) -> Iterator[Conn]:
    with db.connect() as conn:
        conn.execute("SELECT pgtrickle.create_outbox('events')")
        conn.execute("SELECT pgtrickle.create_consumer_group('g', 'events', 'earliest')")
        yield conn


def publish(conn: Conn, *numbers: int, key: str = "k") -> None:
    for number in numbers:
        conn.execute("SELECT pgtrickle.publish('events', %s, %s)", (key, str(number)))


def poll(
    conn: Conn, consumer: str = "a", batch: int = 100, seconds: int = 30, group: str = "g"
) -> list[tuple[int, int]]:
    """(id, number) of each message."""
    return conn.execute(
        "SELECT outbox_id, payload::int FROM pgtrickle.poll_outbox(%s, %s, %s, %s)", (group, consumer, batch, seconds)
    ).fetchall()


def numbers(found: list[tuple[int, int]]) -> list[int]:
    return [number for _, number in found]


def commit(conn: Conn, found: list[tuple[int, int]], consumer: str = "a", group: str = "g") -> None:
    conn.execute("SELECT pgtrickle.commit_offset(%s, %s, %s)", (group, consumer, found[-1][0]))


def lag(conn: Conn, group: str = "g") -> int:
    row = conn.execute("SELECT max(lag) FROM pgtrickle.consumer_lag(%s)", (group,)).fetchone()
    return int(row[0]) if row and row[0] is not None else -1


def test_messages_come_in_order_and_once(box: Conn) -> None:
    assert poll(box) == []
    publish(box, 1, 2, 3)
    first = poll(box, batch=2)
    assert numbers(first) == [1, 2]
    assert poll(box, batch=2) == first, "until they are committed"
    assert lag(box) == 3
    commit(box, first)
    assert lag(box) == 1
    commit(box, first)
    rest = poll(box)
    assert numbers(rest) == [3]
    commit(box, rest)
    assert poll(box) == [] and lag(box) == 0


def test_two_consumers_never_hold_the_same(box: Conn) -> None:
    publish(box, *range(6))
    a, b = poll(box, "a", 2), poll(box, "b", 3)
    assert (numbers(a), numbers(b)) == ([0, 1], [2, 3, 4])
    commit(box, b, "b")
    assert numbers(poll(box, "b")) == [5]
    assert lag(box) == 3


def test_what_was_not_committed_in_time_goes_to_another(box: Conn) -> None:
    publish(box, 1, 2)
    held = poll(box, "a", 1)
    box.execute("UPDATE pgtrickle.pgt_consumer_leases SET lease_expires = now() - interval '1 s'")
    assert poll(box, "b", 10) == held
    with pytest.raises(ObjectNotInPrerequisiteState, match="holds no lease"):
        commit(box, held, "a")
    commit(box, held, "b")
    assert numbers(poll(box, "a")) == [2]


def test_a_part_of_a_batch_is_committed(box: Conn) -> None:
    publish(box, 1, 2, 3)
    found = poll(box)
    commit(box, found[:2])
    assert numbers(poll(box)) == [3]
    with pytest.raises(InvalidParameterValue, match="not among those"):
        box.execute("SELECT pgtrickle.commit_offset('g', 'a', 999)")


def test_a_lease_is_extended(box: Conn) -> None:
    publish(box, 1)
    poll(box, seconds=1)
    row = box.execute("SELECT pgtrickle.extend_lease('g', 'a', 600) > now() + interval '9 min'").fetchone()
    assert row == (True,)
    assert poll(box, "b") == []
    assert box.execute("SELECT pgtrickle.extend_lease('g', 'b')").fetchone() == (None,)


def test_groups_do_not_know_of_each_other(box: Conn) -> None:
    publish(box, 1)
    box.execute("SELECT pgtrickle.create_consumer_group('late', 'events')")
    publish(box, 2)
    assert numbers(poll(box, group="late")) == [2]
    assert numbers(poll(box)) == [1, 2]


def test_a_transaction_that_commits_late_is_not_skipped(db: Database, box: Conn) -> None:
    with db.connect(autocommit=False) as slow:
        publish(slow, 1)
        publish(box, 2)
        found = poll(box)
        assert numbers(found) == [2], "nobody waits for it"
        commit(box, found)
        publish(box, 3)
        found = poll(box)
        commit(box, found)
        slow.commit()
    assert numbers(poll(box)) == [1]


def test_seeking_back_delivers_again_and_ahead_skips(box: Conn) -> None:
    publish(box, 1, 2, 3)
    found = poll(box)
    commit(box, found)
    box.execute("SELECT pgtrickle.seek_offset('g', 'a', 0)")
    assert poll(box) == found
    box.execute("SELECT pgtrickle.seek_offset('g', 'a', %s)", (found[1][0],))
    assert numbers(poll(box)) == [3]
    publish(box, 4)
    box.execute("SELECT pgtrickle.seek_offset('g', 'a', %s)", (found[2][0] + 1,))
    assert poll(box) == []
    publish(box, 5)
    assert numbers(poll(box)) == [5]


def test_under_publishers_and_consumers_of_all_kinds_each_comes_at_least_once(db: Database, box: Conn) -> None:
    """Rolled back ones never; in the order of their key; and once, where nobody's lease expires."""
    published: list[tuple[str, int]] = []
    received: list[tuple[str, int]] = []
    lock = threading.Lock()
    done = threading.Event()

    def publisher(name: str) -> None:
        chance = random.Random(name)
        with db.connect() as conn:
            for turn in range(40):
                conn.execute("BEGIN")
                mine = [(name, turn * 10 + i) for i in range(chance.randint(1, 3))]
                for key, number in mine:
                    publish(conn, number, key=key)
                if chance.random() < 0.3:
                    done.wait(chance.random() / 20)
                if chance.random() < 0.2:
                    conn.execute("ROLLBACK")
                    continue
                conn.execute("COMMIT")
                with lock:
                    published.extend(mine)

    def consumer(name: str) -> None:
        with db.connect() as conn:
            while True:
                ended = done.is_set()
                found = conn.execute(
                    "SELECT outbox_id, key, payload::int FROM pgtrickle.poll_outbox('g', %s, 7)", (name,)
                ).fetchall()
                if found:
                    with lock:
                        received.extend((key, number) for _, key, number in found)
                    conn.execute("SELECT pgtrickle.commit_offset('g', %s, %s)", (name, found[-1][0]))
                elif ended:
                    return

    publishers = [threading.Thread(target=publisher, args=(f"p{i}",)) for i in range(4)]
    consumers = [threading.Thread(target=consumer, args=(f"c{i}",)) for i in range(2)]
    for thread in (*publishers, *consumers):
        thread.start()
    for thread in publishers:
        thread.join()
    done.set()
    for thread in consumers:
        thread.join()
    assert sorted(received) == sorted(published)


def test_one_consumer_receives_each_key_in_order(db: Database, box: Conn) -> None:
    for turn in range(5):
        with db.connect(autocommit=False) as first, db.connect(autocommit=False) as second:
            publish(first, turn * 2, key="a")
            publish(second, 1, key="b")
            first.commit()
            publish(second, 2, key="b")
            second.commit()
        publish(box, turn * 2 + 1, key="a")
    found = box.execute("SELECT key, payload::int FROM pgtrickle.poll_outbox('g', 'c')").fetchall()
    assert [number for key, number in found if key == "a"] == list(range(10))
    assert [number for key, number in found if key == "b"] == [1, 2] * 5


def test_retention_takes_batches_and_keeps_what_a_group_has_not_committed(box: Conn) -> None:
    publish(box, *range(5))
    box.execute("UPDATE pgtrickle.outbox_events SET created_at = now() - interval '3 days'")
    publish(box, 5)
    box.execute("SELECT pgtrickle.set_config('outbox_drain_batch_size', '2')")
    box.execute("SELECT pgtrickle.set_config('outbox_force_retention', 'on')")
    assert box.execute("SELECT pgtrickle._drain_outboxes()").fetchone() == (0,)
    found = poll(box, batch=3)
    commit(box, found)
    poll(box, batch=1)
    publish(box, 6)
    drained = [box.execute("SELECT pgtrickle._drain_outboxes()").fetchone() for _ in range(3)]
    assert drained == [(2,), (1,), (0,)]
    box.execute("SELECT pgtrickle.set_config('outbox_force_retention', 'off')")
    assert box.execute("SELECT pgtrickle._drain_outboxes()").fetchone() == (2,)
    assert box.execute("SELECT count(*) FROM pgtrickle.outbox_events").fetchone() == (2,)


def test_the_dead_are_cleaned_up(box: Conn) -> None:
    publish(box, 1)
    commit(box, poll(box))
    box.execute("UPDATE pgtrickle.pgt_consumer_offsets SET last_heartbeat_at = now() - interval '2 days'")
    alive = "SELECT is_alive FROM pgtrickle.consumer_lag('g')"
    assert box.execute(alive.encode()).fetchall() == [(False,)]
    box.execute("SELECT pgtrickle.consumer_heartbeat('g', 'a')")
    assert box.execute(alive.encode()).fetchall() == [(True,)]
    box.execute("UPDATE pgtrickle.pgt_consumer_offsets SET last_heartbeat_at = now() - interval '2 days'")
    box.execute("SELECT pgtrickle._drain_outboxes()")
    assert box.execute(alive.encode()).fetchall() == []


def test_a_message_has_an_id_a_key_headers_and_bytes(box: Conn) -> None:
    published = "SELECT pgtrickle.publish_bytes('events', NULL, %s, 'image/png', %s)"
    row = box.execute(published.encode(), (b"\x00\xff", Jsonb({"a": "b"}))).fetchone()
    assert row is not None and isinstance(row[0], UUID)
    found = box.execute("SELECT pgt_id, key, payload, headers, body, content_type FROM pgtrickle.poll_outbox('g', 'c')")
    assert found.fetchall() == [(row[0], None, None, {"a": "b"}, b"\x00\xff", "image/png")]


def test_a_role_may_publish_to_one_outbox_and_nothing_else(db: Database, box: Conn) -> None:
    role = db.create_role("app")
    box.execute("SELECT pgtrickle.create_outbox('other')")
    box.execute("SELECT pgtrickle.grant_publish('events', %s)", (role,))
    with db.connect_as(role) as app:
        publish(app, 1)
        with pytest.raises(InsufficientPrivilege):
            app.execute("SELECT pgtrickle.publish('other', 'k', '1')")
        with pytest.raises(InsufficientPrivilege):
            app.execute("SELECT * FROM pgtrickle.poll_outbox('g', 'c')")
        with pytest.raises(InsufficientPrivilege):
            app.execute("SELECT payload FROM pgtrickle.outbox_events")
    assert numbers(poll(box)) == [1]


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ("create_outbox('events')", DuplicateObject, "already exists"),
        ("create_outbox('a b')", InvalidParameterValue, "no name for an outbox"),
        ("create_outbox(NULL)", InvalidParameterValue, "no name for an outbox"),
        ("publish('nowhere', 'k', '1')", UndefinedObject, "outbox not found: nowhere"),
        ("publish('events', 'k', NULL::jsonb)", NullValueNotAllowed, "without payload"),
        ("publish('events', 'k', '1', '[]')", InvalidParameterValue, "headers are a JSON object"),
        ("publish('public.st', 'k', '1')", WrongObjectType, "belongs to a stream table"),
        ("create_consumer_group('g', 'events')", DuplicateObject, "consumer group already exists: g"),
        ("create_consumer_group('h', 'nowhere')", UndefinedObject, "outbox not found"),
        ("create_consumer_group('h', 'events', 'sometimes')", InvalidParameterValue, "auto_offset_reset"),
        ("poll_outbox('nobody', 'c')", UndefinedObject, "consumer group not found: nobody"),
        ("poll_outbox('g', '')", InvalidParameterValue, "a consumer has a name"),
        ("poll_outbox('g', 'c', 0)", InvalidParameterValue, "batch_size"),
        ("seek_offset('g', 'c', -1)", InvalidParameterValue, "negative"),
        ("consumer_heartbeat('nobody', 'c')", UndefinedObject, "consumer group not found"),
        ("consumer_lag('nobody')", UndefinedObject, "consumer group not found"),
        ("drop_consumer_group('nobody')", UndefinedObject, "consumer group not found"),
    ],
)
def test_bad_input(box: Conn, call: str, error: type[Exception], said: str) -> None:
    box.execute("CREATE TABLE source (id int PRIMARY KEY)")
    box.execute("SELECT pgtrickle.create_stream_table('st', 'SELECT id FROM source')")
    box.execute("SELECT pgtrickle.enable_outbox('st')")
    with pytest.raises(error, match=said):
        box.execute(f"SELECT pgtrickle.{call}".encode())


def test_the_worker_drains_what_is_over(db: Database, box: Conn) -> None:
    publish(box, *range(9))
    box.execute("UPDATE pgtrickle.outbox_events SET created_at = now() - interval '3 days' WHERE id < 8")
    box.execute("SELECT pgtrickle.set_config('outbox_drain_batch_size', '2')")
    bench = Workbench.prepare(box, pooled=False, limits=Limits())
    perform(Survey(), bench)
    assert box.execute("SELECT count(*) FROM pgtrickle.outbox_events").fetchone() == (2,)
