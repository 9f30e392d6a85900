"""What stands in a body. Oracles: the published shape of each format, and JSON read back.

Lies it would catch: numbers that lose their digits, bytes that are not the publisher's, two events with one id,
payloads parsed where nobody asks for it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pigeon import NOON, incoming, message

from trickle.relay.formats import FORMATS
from trickle.relay.formats.json_slices import elements, members
from trickle.relay.message import Message, Outgoing
from trickle.relay.reading import read
from trickle.relay.view import Surroundings, Unusable, View

ID = message().event_id


def encoded(format: str, seen: Message | None = None, connector: str = "nats", **options: Any) -> Sequence[Outgoing]:
    made = FORMATS[format]
    around = Surroundings("p", "orders", connector)
    encode = made.encoder(read(made.options, options, "p"), around)
    seen = seen or message()
    return encode(View(seen, around), seen, 'orders."x"')


def body(format: str, seen: Message | None = None, **options: Any) -> Any:
    (one,) = encoded(format, seen, **options)
    return json.loads(one.body)


def test_raw_is_the_payload_byte_by_byte() -> None:
    seen = message(bytes(range(256)), content_type="image/png", headers={"a": "b"}, is_jsonb=False)
    assert encoded("raw", seen) == (
        Outgoing(ID, "42", 'orders."x"', bytes(range(256)), "image/png", {"a": "b"}, NOON, 11),
    )


def test_native_tells_where_it_is_from() -> None:
    assert body("native") == {
        "v": 1,
        "id": ID,
        "op": "insert",
        "outbox": "orders",
        "subject": 'orders."x"',
        "key": "42",
        "payload": {"total": 7, "region": "eu"},
        "dedup_key": ID,
        "committed_at": "2026-01-31T12:00:00.000000Z",
    }
    assert "key" not in body("native", message(key=None))
    assert body("native", message(headers={"ä": '"'}), include_headers=True)["headers"] == {"ä": '"'}


@pytest.mark.parametrize("format", ["native", "cloudevents", "debezium"])
def test_checked_json_is_passed_on_unread(format: str) -> None:
    """What stands there would not survive being read: not even JSON, which the server would not have let through."""
    if format == "debezium":
        payload = '[1.10, 1e400, "ä"]'.encode()
    else:
        payload = '{"amount": 42.50, "big": 1e400, "ä": <anything>}'.encode()
    (one,) = encoded(format, message(payload))
    assert payload in one.body


@pytest.mark.parametrize(
    ("inserted", "deleted", "headers", "op"),
    [
        (1, 0, {}, "insert"),
        (3, 2, {}, "update"),
        (0, 2, {}, "delete"),
        (0, 0, {}, "none"),
        (1, 0, {"op": "archive"}, "archive"),
    ],
)
def test_the_operation_is_what_the_rows_or_the_publisher_say(
    inserted: int, deleted: int, headers: dict[str, str], op: str
) -> None:
    seen = message(inserted_count=inserted, deleted_count=deleted, headers=headers)
    assert body("native", seen)["op"] == op


@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/plain", ""])
def test_an_envelope_holds_what_is_not_json_in_base64(content_type: str) -> None:
    seen = message(b"\x00\xff", content_type=content_type, is_jsonb=False)
    made = body("native", seen)
    assert (made["payload"], made["payload_encoding"], made["content_type"]) == ("AP8=", "base64", content_type)
    event = body("cloudevents", seen)
    assert event["data_base64"] == "AP8="
    assert event.get("datacontenttype") == (content_type or None)


def test_bytes_that_only_say_that_they_are_json_are_looked_at() -> None:
    seen = message(b'{"a": 1}', content_type="Application/Vnd.x+JSON; charset=utf-8", is_jsonb=False)
    assert body("native", seen)["payload"] == {"a": 1}
    for bad in (b"{", b"\xff", b'{"a": NaN}', '{"a": 1}'.encode("utf-16"), b"1 2"):
        for format in ("native", "cloudevents", "debezium"):
            with pytest.raises(Unusable):
                encoded(format, message(bad, content_type="application/json", is_jsonb=False))


def test_cloud_events_as_one_document() -> None:
    (one,) = encoded("cloudevents", message(headers={"type": "order.placed"}))
    assert one.content_type == "application/cloudevents+json"
    assert json.loads(one.body) == {
        "specversion": "1.0",
        "id": ID,
        "source": "/outboxes/orders",
        "type": "order.placed",
        "time": "2026-01-31T12:00:00.000000Z",
        "datacontenttype": "application/json",
        "subject": "42",
        "partitionkey": "42",
        "data": {"total": 7, "region": "eu"},
    }
    assert body("cloudevents")["type"] == "orders.insert"
    made = body("cloudevents", source="urn:{pipeline}", type="t.{payload.region}")
    assert (made["source"], made["type"]) == ("urn:p", "t.eu")


@pytest.mark.parametrize(
    ("connector", "prefix", "subject"),
    [
        ("nats", "ce-", "Z%C3%BC%22%25%20x"),
        ("webhook", "ce-", "Z%C3%BC%22%25%20x"),
        ("kafka", "ce_", 'Zü"% x'),
        ("rabbitmq", "cloudEvents:", 'Zü"% x'),
        ("mqtt", "", 'Zü"% x'),
    ],
)
def test_cloud_events_as_headers(connector: str, prefix: str, subject: str) -> None:
    seen = message(b"\x00", key='Zü"% x', content_type="image/png", headers={"a": "b"}, is_jsonb=False)
    (one,) = encoded("cloudevents", seen, connector, mode="binary")
    assert (one.body, one.content_type) == (b"\x00", "image/png")
    assert one.headers == {
        "a": "b",
        f"{prefix}specversion": "1.0",
        f"{prefix}id": ID,
        f"{prefix}source": "/outboxes/orders",
        f"{prefix}type": "orders.insert",
        f"{prefix}time": "2026-01-31T12:00:00.000000Z",
        f"{prefix}subject": subject,
        f"{prefix}partitionkey": subject,
    }


def told(inserted: str, deleted: str, more: str = "") -> Message:
    """A message of a stream table, rows as they are written."""
    return message(f'{{"v": 1, "deleted": [{deleted}], "inserted": [{inserted}]{more}}}'.encode(), key=None)


def changes(seen: Message, **options: Any) -> list[tuple[str, str, str | None, Any, Any]]:
    """Number behind the id, operation, key, before and after, of each event."""
    found = []
    for one in encoded("debezium", seen, **options):
        event = json.loads(one.body or "{}")
        number = one.event_id.removeprefix(ID)
        found.append((number, event.get("op", "tombstone"), one.key, event.get("before"), event.get("after")))
    return found


def test_rows_of_one_key_are_an_update() -> None:
    seen = told('{"id": 1, "n": 2}, {"id": 3, "n": 3}', '{"id": 1, "n": 1}, {"id": 2, "n": 2}')
    assert changes(seen, key_columns=["id"]) == [
        (".1", "d", '{"id":2}', {"id": 2, "n": 2}, None),
        (".2", "u", '{"id":1}', {"id": 1, "n": 1}, {"id": 1, "n": 2}),
        (".3", "c", '{"id":3}', None, {"id": 3, "n": 3}),
    ]


def test_without_a_key_everything_goes_and_comes() -> None:
    seen = told('{"id": 1, "n": 2}', '{"id": 1, "n": 1}')
    assert [(op, key) for _, op, key, _, _ in changes(seen)] == [("d", None), ("c", None)]


def test_rows_that_are_alike_are_each_told() -> None:
    seen = told('{"id": 1, "n": 3}, {"id": 1, "n": 3}, {"id": 1, "n": 4}', '{"id": 1, "n": 1}, {"id": 1, "n": 1}')
    assert [event[1] for event in changes(seen, key_columns=["id"])] == ["u", "u", "c"]


def test_a_tombstone_follows_a_delete() -> None:
    found = changes(told("", '{"id": 1}, {"id": 2}'), key_columns=["id"], emit_tombstones=True)
    assert [(number, op, key) for number, op, key, _, _ in found] == [
        (".1", "d", '{"id":1}'),
        (".2", "tombstone", '{"id":1}'),
        (".3", "d", '{"id":2}'),
        (".4", "tombstone", '{"id":2}'),
    ]
    (_, tombstone, *_) = encoded("debezium", told("", '{"id": 1}'), key_columns=["id"], emit_tombstones=True)
    assert (tombstone.body, tombstone.content_type) == (b"", "")


def test_rows_told_anew_are_reads() -> None:
    seen = told('{"id": 1}, {"id": 2}', "", ', "reset": true')
    assert [(op, key) for _, op, key, _, _ in changes(seen)] == [("r", None), ("r", None)]
    found = changes(seen, emit_truncates=True, key_columns=["id"])
    assert [(op, key) for _, op, key, _, _ in found] == [("t", None), ("r", '{"id":1}'), ("r", '{"id":2}')]


def test_nothing_told_is_no_event() -> None:
    assert changes(told("", "")) == []


def test_keys_of_several_columns_and_any_type() -> None:
    row = '{"a \\u00e9": "x", "b": 1.10, "c": null, "d": [1, {"e": 2}]}'
    seen = told(row.replace("null", "true"), row)
    (one,) = encoded("debezium", seen, key_columns=["b", "a é"])
    assert one.key == '{"b":1.10,"a \\u00e9":"x"}'
    assert f'"before":{row}'.encode() in one.body
    with pytest.raises(Unusable, match="a row has no column z of key_columns"):
        encoded("debezium", seen, key_columns=["b", "z"])


@pytest.mark.parametrize(
    ("headers", "op", "before", "after"),
    [
        ({}, "c", None, {"total": 7, "region": "eu"}),
        ({"op": "update"}, "u", None, {"total": 7, "region": "eu"}),
        ({"op": "delete"}, "d", {"total": 7, "region": "eu"}, None),
        ({"op": "archive"}, "c", None, {"total": 7, "region": "eu"}),
    ],
)
def test_a_message_of_an_application_is_one_event(headers: dict[str, str], op: str, before: Any, after: Any) -> None:
    (found,) = changes(message(headers=headers))
    assert found == ("", op, "42", before, after)
    event = body("debezium", message(headers=headers), server_name="shop")
    assert event["ts_ms"] == 1769860800000
    assert (event["source"]["name"], event["source"]["table"], event["source"]["event_id"]) == ("shop", "orders", ID)


def test_only_json_is_a_change_event() -> None:
    with pytest.raises(Unusable, match="only JSON can be a debezium event, not image/png"):
        encoded("debezium", message(b"x", content_type="image/png", is_jsonb=False))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(ANY_JSON, max_size=4), st.sampled_from([None, 1]))
def test_slices_are_the_pieces_of_a_list(values: list[Any], indent: int | None) -> None:
    found = list(elements(json.dumps(values, indent=indent)))
    assert [json.loads(piece) for piece, _ in found] == values == [value for _, value in found]


@given(st.dictionaries(st.text(), ANY_JSON, max_size=4), st.sampled_from([None, 1]))
def test_slices_are_the_pieces_of_an_object(values: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=False)
    assert {name: json.loads(piece) for name, piece in members(text)} == values


@given(st.text(alphabet='{}[],:"\\ 1x', max_size=12))
def test_slices_of_anything_end(text: str) -> None:
    for cut in (members, elements):
        try:
            list(cut(text))
        except Unusable:
            continue


@given(ANY_JSON, st.none() | st.text(min_size=1), st.text(), st.sampled_from(["native", "cloudevents"]))
def test_what_is_enveloped_is_opened_again(value: Any, key: str | None, subject: str, format: str) -> None:
    made = FORMATS[format]
    around = Surroundings("p", "orders", "nats")
    seen = message(json.dumps(value).encode(), key=key)
    (one,) = made.encoder(read(made.options, {}, "p"), around)(View(seen, around), seen, subject)
    assert made.decoder is not None
    opened = made.decoder()(incoming(one.body, content_type=one.content_type, headers=one.headers))
    assert (opened.event_id, opened.key, json.loads(opened.payload)) == (ID, key, value)


@given(st.binary(), st.text(min_size=1), st.sampled_from(["nats", "kafka", "mqtt", "rabbitmq"]))
def test_headers_of_cloud_events_are_read_again(payload: bytes, key: str, connector: str) -> None:
    seen = message(payload, key=key, content_type="image/png", is_jsonb=False)
    (one,) = encoded("cloudevents", seen, connector, mode="binary")
    decoder = FORMATS["cloudevents"].decoder
    assert decoder is not None
    opened = decoder()(incoming(one.body, content_type=one.content_type, headers=one.headers))
    assert (opened.event_id, opened.key, opened.payload) == (ID, key, payload)
    assert opened.event_type == "orders.insert"


@pytest.mark.parametrize(
    ("format", "payload", "said"),
    [
        ("native", b"[]", "the message is not in the native format"),
        ("native", b'{"v": 2, "payload": 1}', "the message is not in the native format"),
        ("native", b'{"v": 1, "payload": "*", "payload_encoding": "base64"}', "is not base64, though it says so"),
        ("native", b'{"v": 1, "payload": 1, "payload_encoding": "base64"}', "is not base64, though it says so"),
        ("cloudevents", b"{}", "the message is no cloud event"),
    ],
)
def test_what_is_no_envelope_is_not_opened(format: str, payload: bytes, said: str) -> None:
    decoder = FORMATS[format].decoder
    assert decoder is not None
    with pytest.raises(Unusable, match=said):
        decoder()(incoming(payload))


def test_an_event_with_bytes_in_it_is_opened() -> None:
    seen = message(b"\x00\xff", content_type="image/png", is_jsonb=False)
    (one,) = encoded("cloudevents", seen)
    assert json.loads(one.body)["data_base64"] == base64.b64encode(seen.payload).decode()
    decoder = FORMATS["cloudevents"].decoder
    assert decoder is not None
    opened = decoder()(incoming(one.body, content_type=one.content_type))
    assert (opened.payload, opened.content_type) == (seen.payload, "image/png")
