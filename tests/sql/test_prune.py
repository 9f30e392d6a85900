"""Pruning removes what every consumer has consumed, and nothing that anybody may still need."""

from __future__ import annotations

import json

import pytest
from support.databases import Database

from .conftest import Connection, is_equal, one, outcome


@pytest.fixture
def two(orders: Connection) -> Connection:
    for name in ("a", "b"):
        orders.execute("SELECT pgtrickle.create_stream_table(%s, 'SELECT id FROM orders')", (name,))
    return orders


def left(connection: Connection) -> int:
    source = one(connection, "SELECT source_id FROM pgtrickle.pgt_change_tracking")
    return int(one(connection, f"SELECT count(*) FROM pgtrickle_changes.changes_{source}"))


def prune(connection: Connection, rows: int = 10000) -> int:
    return int(one(connection, "SELECT pgtrickle._prune(source_id, %s) FROM pgtrickle.pgt_change_tracking", rows))


def test_the_slowest_consumer_decides(two: Connection) -> None:
    two.execute("INSERT INTO orders SELECT i FROM generate_series(10, 19) i")
    outcome(two, "a")
    assert prune(two) == 0
    outcome(two, "b")
    assert [prune(two, 4), prune(two, 4), prune(two, 4), prune(two, 4)] == [4, 4, 2, 0]
    assert left(two) == 0
    two.execute("TRUNCATE orders")
    for name in ("a", "b"):
        outcome(two, name)
    prune(two)
    assert one(two, "SELECT count(*) FROM pgtrickle_changes.markers") == 0


def test_a_suspended_consumer_still_counts(two: Connection) -> None:
    two.execute("SELECT pgtrickle.alter_stream_table('b', status => 'suspended')")
    two.execute("INSERT INTO orders VALUES (10)")
    outcome(two, "a")
    assert prune(two) == 0
    two.execute("UPDATE pgtrickle.pgt_frontiers SET snapshot = NULL WHERE pgt_id = 2")
    assert prune(two) == 1


def test_an_open_writer_is_spared(db: Database, two: Connection) -> None:
    with db.connect(autocommit=False) as writer:
        writer.execute("INSERT INTO orders VALUES (10)")
        two.execute("INSERT INTO orders VALUES (11)")
        outcome(two, "a")
        outcome(two, "b")
        prune(two)
        writer.commit()
    assert is_equal(two, "a") and is_equal(two, "b")


def test_a_creator_at_work_holds_the_pruner_off(db: Database, two: Connection) -> None:
    two.execute("INSERT INTO orders VALUES (10)")
    outcome(two, "a")
    outcome(two, "b")
    with db.connect(autocommit=False) as creator:
        creator.execute("SELECT pgtrickle.create_stream_table('c', 'SELECT id FROM orders')")
        assert prune(two) == 0
        creator.commit()
    outcome(two, "c")
    assert prune(two) == 1


def test_a_fill_at_work_holds_the_pruner_off(db: Database, two: Connection) -> None:
    two.execute("UPDATE pgtrickle.pgt_frontiers SET snapshot = NULL WHERE pgt_id = 2")
    with db.connect(autocommit=False) as filler:
        filler.execute("SELECT pgtrickle._refresh(2, 'MANUAL', true)")
        two.execute("INSERT INTO orders VALUES (10)")
        outcome(two, "a")
        assert prune(two) == 0
        filler.commit()
    assert is_equal(two, "b")


def test_who_does_not_keep_up_is_let_go_when_the_buffer_overflows(two: Connection) -> None:
    """It is computed in full the next time; who has kept up goes on as before."""
    two.execute("SELECT pgtrickle.set_config('max_buffer_rows', '50')")
    two.execute("SELECT pgtrickle.alter_stream_table('b', status => 'suspended')")
    outcome(two, "a")
    for start in (100, 140):
        two.execute("INSERT INTO orders SELECT i FROM generate_series(%s::int, %s) i", (start, start + 39))
        outcome(two, "a")
        assert prune(two) == 0
    assert prune(two) == 80
    two.execute("SELECT pgtrickle.resume_stream_table('b')")
    assert outcome(two, "b")[0] == "FULL"
    assert is_equal(two, "a") and is_equal(two, "b")


def test_an_old_transaction_in_the_way_is_told_of_once_in_a_while(db: Database, two: Connection) -> None:
    two.execute("SELECT pgtrickle.set_config('frontier_holdback_warn_seconds', '0')")
    with db.connect(autocommit=False) as writer, db.connect() as listener:
        listener.execute("LISTEN pg_trickle_alert")
        writer.execute("INSERT INTO orders VALUES (10)")
        two.execute("INSERT INTO orders VALUES (11)")
        outcome(two, "a")
        outcome(two, "b")
        for _ in range(2):
            assert prune(two) == 0
        told = [json.loads(note.payload) for note in listener.notifies(timeout=0.5)]
        assert [(note["event"], note["source_table"], note["pid"]) for note in told] == [
            ("frontier_holdback", "public.orders", writer.info.backend_pid)
        ]
