"""The inbox: each message once, what waits and what is dead shown by stream tables, order within an aggregate.

Lies it would catch: a message that is received twice, one that is dead and waits, a worker that takes an aggregate of
another's, a table of the user's that is dropped with its inbox.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import (
    DuplicateObject,
    DuplicateTable,
    InvalidParameterValue,
    ObjectNotInPrerequisiteState,
    UndefinedColumn,
    UndefinedObject,
    UndefinedTable,
)
from support.databases import Database

from trickle.catalog.install import compile_and_install
from trickle.worker.bench import Limits, Workbench
from trickle.worker.jobs import perform
from trickle.worker.protocol import Survey

Conn = psycopg.Connection[Any]


@pytest.fixture
def box(db: Database) -> Iterator[Conn]:
    with db.connect() as conn:
        conn.execute("SELECT pgtrickle.create_inbox('mail', schema => 'public', max_retries => 2)")
        compile_all(conn)
        yield conn


def compile_all(conn: Conn) -> None:
    for (pgt_id,) in conn.execute("SELECT pgt_id FROM pgtrickle.pgt_stream_tables ORDER BY 1").fetchall():
        compile_and_install(conn, pgt_id)


def receive(conn: Conn, event_id: str, aggregate: str = "a", sequence: int | None = None, retries: int = 0) -> int:
    return conn.execute(
        "INSERT INTO mail (event_id, event_type, aggregate_id, event_sequence, retry_count)"
        " VALUES (%s, 't', %s, %s, %s) ON CONFLICT (event_id) DO NOTHING",
        (event_id, aggregate, sequence, retries),
    ).rowcount


def shown(conn: Conn, name: str) -> list[str]:
    conn.execute("SELECT pgtrickle.refresh_stream_table(%s)", (name,))
    return [event_id for (event_id,) in conn.execute(f"SELECT event_id FROM {name} ORDER BY 1".encode())]


def one(conn: Conn, question: str) -> Any:
    row = conn.execute(question.encode()).fetchone()
    return row[0] if row else None


def test_a_message_is_received_once(box: Conn) -> None:
    assert [receive(box, "1"), receive(box, "1"), receive(box, "2")] == [1, 0, 1]
    assert shown(box, "mail_pending") == ["1", "2"]
    box.execute("UPDATE mail SET processed_at = now() WHERE event_id = '1'")
    box.execute("UPDATE mail SET retry_count = 2, error = 'no' WHERE event_id = '2'")
    assert shown(box, "mail_pending") == []
    assert shown(box, "mail_dlq") == ["2"]
    assert one(box, "SELECT pgtrickle.replay_inbox_messages('mail', ARRAY['2', 'none'])") == 1
    assert shown(box, "mail_pending") == ["2"]
    assert one(box, "SELECT error FROM mail WHERE event_id = '2'") is None


def test_all_of_it_is_differential(box: Conn) -> None:
    box.execute("SELECT pgtrickle.enable_inbox_ordering('mail', 'aggregate_id', 'event_sequence')")
    compile_all(box)
    states = box.execute("SELECT pgt_name, program_state FROM pgtrickle.pgt_stream_tables ORDER BY 1").fetchall()
    assert states == [(name, "compiled") for name in ("mail_dlq", "mail_pending", "mail_stats", "next_mail")]


def test_the_next_of_each_aggregate(box: Conn) -> None:
    for number, aggregate in enumerate("abab"):
        receive(box, f"{aggregate}{number}", aggregate, 10 - number)
    box.execute("SELECT pgtrickle.enable_inbox_ordering('mail', 'aggregate_id', 'event_sequence')")
    compile_all(box)
    assert shown(box, "next_mail") == ["a2", "b3"]
    box.execute("UPDATE mail SET processed_at = now() WHERE event_id = 'a2'")
    assert shown(box, "next_mail") == ["a0", "b3"]
    with pytest.raises(ObjectNotInPrerequisiteState, match="conflict for inbox: mail"):
        box.execute("SELECT pgtrickle.enable_inbox_priority('mail', 'priority')")
    box.execute("SELECT pgtrickle.disable_inbox_ordering('mail')")
    box.execute("SELECT pgtrickle.enable_inbox_priority('mail', 'priority', '{\"1\": \"urgent\"}')")
    with pytest.raises(ObjectNotInPrerequisiteState, match="conflict for inbox: mail"):
        box.execute("SELECT pgtrickle.enable_inbox_ordering('mail', 'aggregate_id', 'event_sequence')")


def test_gaps_between_sequence_numbers(box: Conn) -> None:
    box.execute("SELECT pgtrickle.enable_inbox_ordering('mail', 'aggregate_id', 'event_sequence')")
    for sequence in (1, 2, 5):
        receive(box, f"a{sequence}", "a", sequence)
    receive(box, "b7", "b", 7)
    found = box.execute("SELECT * FROM pgtrickle.inbox_ordering_gaps('mail')").fetchall()
    assert found == [("a", 3, 5)]
    box.execute("UPDATE mail SET processed_at = now() WHERE event_sequence < 3")
    assert box.execute("SELECT * FROM pgtrickle.inbox_ordering_gaps('mail')").fetchall() == [("a", 3, 5)]


def fnv1a(text: str) -> int:
    found = 14695981039346656037
    for byte in text.encode():
        found = (found ^ byte) * 1099511628211 % 2**64
    return found


@pytest.mark.parametrize("text", ["", "a", "customer-123", "Müller", "漢字", "x" * 500])
def test_each_aggregate_belongs_to_one_worker(box: Conn, text: str) -> None:
    for workers in (1, 2, 3, 4, 7, 1000, 2147483647):
        mine = fnv1a(text) % workers
        for worker, expected in ((mine, True), ((mine + 1) % workers, workers == 1)):
            row = box.execute("SELECT pgtrickle.inbox_is_my_partition(%s, %s, %s)", (text, worker, workers)).fetchone()
            assert row == (expected,)


def test_a_table_of_ones_own(db: Database, box: Conn) -> None:
    box.execute("CREATE TABLE letters (id uuid PRIMARY KEY, done timestamptz, tries int, text text)")
    box.execute(
        "SELECT pgtrickle.enable_inbox_tracking('post', 'letters', id_column => 'id', processed_at_column => 'done',"
        " retry_count_column => 'tries')"
    )
    compile_all(box)
    box.execute("INSERT INTO letters SELECT gen_random_uuid(), NULL, NULL, 'x' FROM generate_series(1, 3)")
    box.execute("SELECT pgtrickle.refresh_stream_table('post_pending')")
    assert one(box, "SELECT count(*) FROM post_pending") == 3
    box.execute("UPDATE letters SET done = now()")
    assert one(box, "SELECT pgtrickle.inbox_health('post')")["processed_messages"] == 3
    ids = one(box, "SELECT array_agg(id::text) FROM letters")
    row = box.execute("SELECT pgtrickle.replay_inbox_messages('post', %s)", (ids,)).fetchone()
    assert row == (3,)
    box.execute("SELECT pgtrickle.drop_inbox('post', cascade => true)")
    assert one(box, "SELECT count(*) FROM letters") == 3, "it is the user's"


def test_retention_and_the_alert_of_the_dead(db: Database, box: Conn) -> None:
    for number in range(15):
        receive(box, str(number), retries=9 if number < 10 else 0)
    box.execute("UPDATE mail SET processed_at = now() - interval '10 days' WHERE retry_count = 0")
    box.execute("UPDATE mail SET received_at = now() - interval '3 hours' WHERE event_id < '3' AND retry_count > 0")
    box.execute("SELECT pgtrickle.set_config('inbox_drain_batch_size', '2')")
    with db.connect() as listener:
        listener.execute("LISTEN pg_trickle_alert")
        perform(Survey(), Workbench.prepare(box, pooled=False, limits=Limits()))
        told = [json.loads(note.payload) for note in listener.notifies(timeout=0.5)]
    assert [(n["inbox"], n["dlq_messages"]) for n in told if n["event"] == "inbox_dlq_growth"] == [("mail", 10)]
    assert one(box, "SELECT count(*) FROM mail") == 10, "the processed have gone, the dead stay"
    box.execute("SELECT pgtrickle.set_config('inbox_dlq_retention_hours', '2')")
    perform(Survey(), Workbench.prepare(box, pooled=False, limits=Limits()))
    assert one(box, "SELECT count(*) FROM mail") == 7


def test_an_inbox_is_dropped_with_its_stream_tables(box: Conn) -> None:
    box.execute("SELECT pgtrickle.enable_inbox_ordering('mail', 'aggregate_id', 'event_sequence')")
    assert box.execute("SELECT inbox_name, max_retries FROM pgtrickle.inbox_status()").fetchall() == [("mail", 2)]
    box.execute("SELECT pgtrickle.drop_inbox('mail')")
    assert one(box, "SELECT count(*) FROM pgtrickle.pgt_stream_tables") == 0
    assert one(box, "SELECT to_regclass('mail')") == "mail"
    box.execute("SELECT pgtrickle.drop_inbox('mail', if_exists => true)")


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ("create_inbox('mail')", DuplicateObject, "inbox already exists: mail"),
        ("create_inbox('taken', 'public')", DuplicateTable, "enable_inbox_tracking|exists already"),
        ("create_inbox('a b')", InvalidParameterValue, "no name for an inbox"),
        ("create_inbox('x', max_retries => -1)", InvalidParameterValue, "max_retries"),
        ("enable_inbox_tracking('x', 'nowhere')", UndefinedTable, "relation not found"),
        ("enable_inbox_tracking('x', 'taken')", UndefinedColumn, "event_id, processed_at, retry_count"),
        ("inbox_health('nothing')", UndefinedObject, "inbox not found: nothing"),
        ("replay_inbox_messages('nothing', '{}')", UndefinedObject, "inbox not found"),
        ("drop_inbox('nothing')", UndefinedObject, "inbox not found"),
        (
            "enable_inbox_ordering('mail', 'aggregate_id', 'no')",
            UndefinedColumn,
            "inbox column missing in",
        ),
        ("disable_inbox_ordering('mail')", UndefinedObject, "ordering is not enabled"),
        ("disable_inbox_priority('mail')", UndefinedObject, "priority is not enabled"),
        ("inbox_ordering_gaps('mail')", UndefinedObject, "ordering is not enabled"),
    ],
)
def test_bad_input(box: Conn, call: str, error: type[Exception], said: str) -> None:
    box.execute("CREATE TABLE taken (id int)")
    with pytest.raises(error, match=said):
        box.execute(f"SELECT pgtrickle.{call}".encode())
