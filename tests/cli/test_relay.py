"""`trickle relay` and its tools, and the SQL functions behind them, with right and with wrong input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import (
    DuplicateObject,
    InvalidParameterValue,
    NullValueNotAllowed,
    ObjectInUse,
    UndefinedObject,
)
from support.databases import Database

from .conftest import Trickle

Conn = psycopg.Connection[Any]


@pytest.fixture
def box(db: Database, tmp_path: Path) -> Database:
    """An outbox with ten messages, and a pipeline to a file."""
    with db.connect() as owner:
        owner.execute("SELECT pgtrickle.create_outbox('box')")
        sink = {"type": "file", "path": str(tmp_path / "out")}
        owner.execute(
            "SELECT pgtrickle.set_relay_outbox('one', 'box', sink => %s, options => '{\"format\": \"raw\"}')",
            (json.dumps(sink),),
        )
        owner.execute(
            "SELECT pgtrickle.publish('box', 'k' || n % 3, jsonb_build_object('n', n)) FROM generate_series(1, 10) n"
        )
    return db


def bury(db: Database, *event_ids: str) -> list[int]:
    with db.connect() as owner:
        for event_id in event_ids:
            letter = {"event_id": event_id, "content_type": "x", "kind": "k", "reason": "so it is", "attempts": 1}
            owner.execute("SELECT pgtrickle._relay_bury('one', %s, ARRAY['x'::bytea])", (json.dumps([letter]),))
        return [row[0] for row in owner.execute("SELECT letter_id FROM pgtrickle.pgt_relay_dead_letters ORDER BY 1")]


def test_status_and_lag(box: Database, trickle: Trickle) -> None:
    with box.connect() as owner:
        owner.execute("SELECT pgtrickle.set_relay_inbox('mail', 'mail', source => '{\"type\": \"stdin\"}')")
    found = {row["name"]: row for row in trickle.json("relay", "status")}
    assert found["one"]["state"] == "waiting"
    assert found["one"]["reason"] == "no relay has taken it yet"
    assert (found["one"]["lag"], found["one"]["connector"]) == (10, "file")
    assert found["mail"]["direction"] == "reverse"
    assert [row["name"] for row in trickle.json("relay", "lag")] == ["one"]
    assert "one" in trickle("relay", "status").stdout
    assert "10" in trickle("relay", "lag").stdout


def test_a_state_of_long_ago_is_not_told(box: Database, trickle: Trickle) -> None:
    """Nobody carries the pipeline any more, and its relay had no time to say so."""
    with box.connect() as owner:
        owner.execute("INSERT INTO pgtrickle.pgt_relay_states VALUES ('one', 'i', 'running')")
        assert trickle.json("relay", "status")[0]["state"] == "running"
        owner.execute("UPDATE pgtrickle.pgt_relay_states SET told_at = now() - interval '31 s'")
        (row,) = trickle.json("relay", "status")
        assert row["state"] == "waiting"
        assert row["reason"].startswith("no relay carries it, since ")


def test_status_without_pipelines(db: Database, trickle: Trickle) -> None:
    assert "relay apply" in trickle("relay", "status").stderr
    assert trickle.json("relay", "lag") == []


def test_tail_shows_what_would_be_sent(box: Database, trickle: Trickle) -> None:
    shown = [json.loads(line) for line in trickle("relay", "tail", "one", "--from", "0", "-n", "4").stdout.splitlines()]
    assert [json.loads(message["sent"][0]["body"])["n"] for message in shown] == [1, 2, 3, 4]
    assert shown[0]["key"] == "k1"
    ((after,),) = box_rows(box, "SELECT delivered_id FROM pgtrickle.pgt_consumer_groups")
    assert after == 0, "its place is where it was"
    assert "goes into an inbox" in reverse(box, trickle, "tail", "mail", "-n", "1")


def reverse(box: Database, trickle: Trickle, *words: str) -> str:
    with box.connect() as owner:
        owner.execute("SELECT pgtrickle.set_relay_inbox('mail', 'mail', source => '{\"type\": \"stdin\"}')")
    return trickle("relay", *words, expect=1).stderr


def box_rows(db: Database, question: str) -> list[tuple[Any, ...]]:
    with db.connect() as owner:
        return owner.execute(question.encode()).fetchall()


def test_the_connection_of_a_pipeline_is_tried(box: Database, trickle: Trickle, tmp_path: Path) -> None:
    assert "connected to file" in trickle("relay", "test", "one").stderr
    assert (tmp_path / "out").read_bytes() == b""
    with box.connect() as owner:
        sink = {"type": "file", "path": str(tmp_path / "none" / "out")}
        owner.execute("SELECT pgtrickle.set_relay_outbox('one', 'box', sink => %s)", (json.dumps(sink),))
    assert "No such file" in trickle("relay", "test", "one", expect=1).stderr


def test_a_range_is_sent_again(box: Database, trickle: Trickle, tmp_path: Path) -> None:
    assert "would send: 3" in trickle("relay", "replay", "one", "--from", "2", "--to", "4", "--dry-run").stderr
    assert not (tmp_path / "out").exists()
    assert "sent: 3" in trickle("relay", "replay", "one", "--from", "2", "--to", "4").stderr
    assert [json.loads(line)["n"] for line in (tmp_path / "out").read_text().splitlines()] == [2, 3, 4]
    assert "sent: 0" in trickle("relay", "replay", "one", "--from", "90", "--to", "99").stderr
    assert "sent: 0" in trickle("relay", "replay", "one", "--from", "4", "--to", "2").stderr


def test_letters_are_listed_retried_and_thrown_away(box: Database, trickle: Trickle) -> None:
    first, second = bury(box, "a", "b")
    found = trickle.json("relay", "dlq", "list")
    assert [letter["event_id"] for letter in found] == ["b", "a"]
    assert "so it is" in trickle("relay", "dlq", "list", "one").stdout
    assert "no dead letters" in trickle("relay", "dlq", "list", "other").stderr
    trickle("relay", "dlq", "retry", str(first))
    assert [letter["is_retrying"] for letter in trickle.json("relay", "dlq", "list")] == [False, True]
    assert "2 are tried again" in trickle("relay", "dlq", "retry", "--all", "one").stderr
    trickle("relay", "dlq", "discard", str(second))
    assert [letter["event_id"] for letter in trickle.json("relay", "dlq", "list")] == ["a"]


_WRONG_WORDS: list[tuple[tuple[str, ...], int, str]] = [
    (("tail", "none"), 1, "not found: none"),
    (("test", "none"), 1, "not found: none"),
    (("replay", "none", "--from", "1", "--to", "2"), 1, "not found: none"),
    (("replay", "one", "--from", "0", "--to", "2"), 2, "--from"),
    (("replay", "one"), 2, "--from"),
    (("dlq", "retry"), 1, "--all"),
    (("dlq", "retry", "1", "--all", "one"), 1, "--all"),
    (("dlq", "retry", "77"), 1, "dead letter not found: 77"),
    (("dlq", "retry", "--all", "none"), 1, "not found: none"),
    (("dlq", "discard", "77"), 1, "dead letter not found: 77"),
    (("dlq", "list", "--most", "0"), 2, "--most"),
    (("apply", "/none.yaml"), 1, "none.yaml"),
    (("fly",), 2, "fly"),
]


def test_wrong_words(box: Database, trickle: Trickle) -> None:
    for words, code, says in _WRONG_WORDS:
        told = trickle("relay", *words, expect=code).stderr
        assert says in told
        assert "Traceback" not in told


_FILE = """
pipelines:
  one:
    outbox: box
    sink: {type: file, path: PATH, layout: envelope}
  two:
    outbox: box
    sink: {type: webhook, url: "https://example.org/", signing_secret: "${env:NEVER_SET}"}
    batch_size: 7
  mail:
    inbox: mail
    source: {type: file, path: PATH}
"""


def test_a_file_is_applied(box: Database, trickle: Trickle, tmp_path: Path) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text(_FILE.replace("PATH", str(tmp_path / "x")))
    before = box_rows(box, "SELECT * FROM pgtrickle.list_relay_configs()")
    shown = trickle("relay", "apply", str(file), "--dry-run").stdout
    assert all(name in shown for name in ("one", "two", "mail"))
    assert box_rows(box, "SELECT * FROM pgtrickle.list_relay_configs()") == before
    trickle("relay", "apply", str(file))
    configs = {name: config for name, _, _, config in box_rows(box, "SELECT * FROM pgtrickle.list_relay_configs()")}
    assert configs["one"]["sink"]["layout"] == "envelope"
    assert configs["two"]["options"]["batch_size"] == 7
    assert configs["two"]["sink"]["signing_secret"] == "${env:NEVER_SET}"
    assert configs["mail"]["inbox"] == "mail"
    again = box_rows(box, "SELECT changed_at FROM pgtrickle.pgt_relay_pipelines ORDER BY 1")
    trickle("relay", "apply", str(file))
    assert box_rows(box, "SELECT changed_at FROM pgtrickle.pgt_relay_pipelines ORDER BY 1") == again, "nothing to do"
    file.write_text(_FILE.replace("PATH", str(tmp_path / "x")).replace("  one:", "  three:"))
    trickle("relay", "apply", str(file), "--prune")
    assert box_rows(box, "SELECT array_agg(name ORDER BY name) FROM pgtrickle.list_relay_configs()") == [
        (["mail", "three", "two"],)
    ]


def test_a_file_with_mistakes_changes_nothing(box: Database, trickle: Trickle, tmp_path: Path) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text(_FILE.replace("batch_size: 7", "batch_sise: 7").replace("layout: envelope", "layout: fancy"))
    told = trickle("relay", "apply", str(file), expect=1).stderr
    assert "batch_size" in told, "which name was meant"
    assert "fancy" in told
    assert len(box_rows(box, "SELECT FROM pgtrickle.pgt_relay_pipelines")) == 1
    # One that the server refuses takes the others with it.
    file.write_text(_FILE.replace("outbox: box", "outbox: nowhere"))
    assert "nowhere" in trickle("relay", "apply", str(file), expect=1).stderr
    assert len(box_rows(box, "SELECT FROM pgtrickle.pgt_relay_pipelines")) == 1


def test_what_is_stored_and_wrong_is_replaced(box: Database, trickle: Trickle, tmp_path: Path) -> None:
    with box.connect() as owner:
        owner.execute("SELECT pgtrickle.set_relay_outbox('one', 'box', sink => '{\"type\": \"pigeon\"}')")
    file = tmp_path / "relay.yaml"
    file.write_text(_FILE.replace("PATH", str(tmp_path / "x")))
    assert "pigeon" in trickle("relay", "apply", str(file)).stderr
    assert "connected to file" in trickle("relay", "test", "one").stderr


_WRONG_CALLS: list[tuple[str, type[psycopg.Error], str]] = [
    ("set_relay_outbox(NULL, 'box', sink => '{\"type\": \"x\"}')", InvalidParameterValue, "no name for a pipeline"),
    ("set_relay_outbox('', 'box', sink => '{\"type\": \"x\"}')", InvalidParameterValue, "no name for a pipeline"),
    ("set_relay_outbox('-a', 'box', sink => '{\"type\": \"x\"}')", InvalidParameterValue, "no name for a pipeline"),
    (
        "set_relay_outbox('a b', 'box', sink => '{\"type\": \"x\"}')",
        InvalidParameterValue,
        "no name for a pipeline",
    ),
    ("set_relay_outbox(repeat('a', 64), 'box', sink => '{\"type\": \"x\"}')", InvalidParameterValue, "no name"),
    ("set_relay_outbox('a', 'box')", InvalidParameterValue, 'must be an object with a "type"'),
    ("set_relay_outbox('a', 'box', sink => '[]')", InvalidParameterValue, 'must be an object with a "type"'),
    ("set_relay_outbox('a', 'box', sink => 'null')", InvalidParameterValue, 'must be an object with a "type"'),
    (
        "set_relay_outbox('a', 'box', sink => '{\"type\": 7}')",
        InvalidParameterValue,
        'must be an object with a "type"',
    ),
    ("set_relay_outbox('a', 'box', sink => '{\"type\": \"x\"}', options => '7')", InvalidParameterValue, "options"),
    (
        "set_relay_outbox('a', 'box', sink => '{\"type\": \"x\"}', options => NULL)",
        InvalidParameterValue,
        "options",
    ),
    ("set_relay_outbox('a', 'nowhere', sink => '{\"type\": \"x\"}')", UndefinedObject, "nowhere"),
    ("set_relay_outbox('a', NULL, sink => '{\"type\": \"x\"}')", UndefinedObject, "outbox not found"),
    ("set_relay_outbox('a', 'box', 'one', sink => '{\"type\": \"x\"}')", ObjectInUse, "that of pipeline one"),
    ("set_relay_outbox('a', 'box', ' ', sink => '{\"type\": \"x\"}')", InvalidParameterValue, "has a name"),
    ("set_relay_outbox('a', 'box', sink => '{\"type\": \"x\"}', enabled => NULL)", NullValueNotAllowed, "enabled"),
    ("set_relay_inbox('a', NULL, source => '{\"type\": \"x\"}')", InvalidParameterValue, "no name for an inbox"),
    ("set_relay_inbox('a', 'mail')", InvalidParameterValue, 'must be an object with a "type"'),
    (
        "set_relay_inbox('a', 'mail', source => '{\"type\": \"x\"}', enabled => NULL)",
        NullValueNotAllowed,
        "enabled",
    ),
    ("set_relay_inbox('one', 'mail', source => '{\"type\": \"x\"}')", DuplicateObject, "goes the other way"),
    ("enable_relay('none')", UndefinedObject, "not found: none"),
    ("disable_relay('none')", UndefinedObject, "not found: none"),
    ("delete_relay('none')", UndefinedObject, "not found: none"),
    ("get_relay_config('none')", UndefinedObject, "not found: none"),
    ("relay_dlq_retry_all('none')", UndefinedObject, "not found: none"),
    ("relay_dlq_retry(7)", UndefinedObject, "not found: 7"),
    ("relay_dlq_discard(7)", UndefinedObject, "not found: 7"),
]


def test_wrong_calls(box: Database) -> None:
    with box.connect() as owner:
        for call, error, says in _WRONG_CALLS:
            with pytest.raises(error, match=says):
                owner.execute(f"SELECT pgtrickle.{call}".encode())
            assert len(owner.execute("SELECT FROM pgtrickle.pgt_relay_pipelines").fetchall()) == 1


def test_a_group_stays_with_its_outbox(box: Database) -> None:
    with box.connect() as owner:
        owner.execute("SELECT pgtrickle.create_outbox('other')")
        with pytest.raises(InvalidParameterValue, match="reads outbox box, not other") as caught:
            owner.execute("SELECT pgtrickle.set_relay_outbox('one', 'other', sink => '{\"type\": \"x\"}')")
        assert caught.value.diag.message_hint


def test_another_group_takes_the_place_of_the_first(box: Database) -> None:
    """One that nobody reads as would keep messages for ever."""
    with box.connect() as owner:
        owner.execute("SELECT pgtrickle.create_consumer_group('of an application', 'box')")
        owner.execute(
            "SELECT pgtrickle.set_relay_outbox('one', 'box', \"group\" => 'new', sink => '{\"type\": \"x\"}')"
        )
        groups = owner.execute("SELECT group_name FROM pgtrickle.pgt_consumer_groups ORDER BY 1").fetchall()
        assert groups == [("new",), ("of an application",)]


def test_two_letters_with_one_id_are_one(box: Database) -> None:
    letter = {"event_id": "a", "content_type": "x", "kind": "k", "reason": "r", "attempts": 1}
    with box.connect() as owner:
        owner.execute(
            "SELECT pgtrickle._relay_bury('one', %s, ARRAY['first', 'other', 'second']::bytea[])",
            (json.dumps([letter, {**letter, "event_id": "0"}, letter]),),
        )
        found = owner.execute("SELECT event_id, payload FROM pgtrickle.pgt_relay_dead_letters ORDER BY letter_id")
        assert found.fetchall() == [("a", b"first"), ("0", b"other")]
