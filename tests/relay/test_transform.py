"""Filters and projections, and the way of a whole message through a pipeline, out and in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pigeon import incoming, message, pigeon_post

from trickle.relay import transform
from trickle.relay.failures import Failure, FailureKind
from trickle.relay.incoming import Accept, compile_incoming
from trickle.relay.message import Incoming, Message, Outgoing
from trickle.relay.outgoing import Prepare, compile_outgoing
from trickle.relay.pipeline import ForwardPipeline, ReversePipeline, read_document


@pytest.fixture(scope="module", autouse=True)
def _post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pigeon_post(tmp_path_factory.mktemp("post")):
        yield


def outgoing(**options: Any) -> Prepare:
    sink = {"type": "pigeon", "url": "x", **options.pop("sink", {})}
    pipeline = read_document("p", {"outbox": "orders", "sink": sink, "format": "raw", **options})
    assert isinstance(pipeline, ForwardPipeline)
    return compile_outgoing(pipeline)


def sent(seen: Message | None = None, **options: Any) -> list[Outgoing]:
    made = outgoing(**options)(seen or message())
    assert not isinstance(made, Failure), made
    return list(made)


def failed(seen: Message | None = None, **options: Any) -> str:
    made = outgoing(**options)(seen or message())
    assert isinstance(made, Failure) and made.kind is FailureKind.ENCODING
    return made.reason


@pytest.mark.parametrize(
    ("expression", "passes"),
    [
        ("total > `5`", True),
        ("total > `7`", False),
        ("region == 'eu' && total", True),
        ("zero", True),  # JMESPath takes 0 for true
        ("empty", False),
        ("`[]`", False),
        ("`{}`", False),
        ("nothing", False),
        ("`false`", False),
        ("contains(region, 'e')", True),
        ("!nothing", True),
    ],
)
def test_a_filter_keeps_what_it_is_true_for(expression: str, passes: bool) -> None:
    seen = message(b'{"total": 7, "region": "eu", "zero": 0, "empty": ""}')
    found = sent(seen, transform={"filter": expression})
    assert [out.body for out in found] == ([seen.payload] if passes else [])


def test_a_projection_makes_the_payload() -> None:
    seen = message(
        '{"total": 7, "name": "Zoë", "lines": [{"n": 1}, {"n": 20}]}'.encode(), content_type="application/x+json"
    )
    (out,) = sent(seen, transform={"payload": "{t: total, who: name, n: lines[].n}"})
    assert out.body == '{"t":7,"who":"Zoë","n":[1,20]}'.encode()
    assert out.content_type == "application/json"


def test_templates_and_filters_see_what_was_published() -> None:
    (out,) = sent(
        transform={"filter": "region", "payload": "{t: total}"},
        routing={"default_template": "r.{payload.region}"},
        key="{payload.region}-{key}",
        headers={"x-total": "{payload.total}", "x-own": "{headers.own}"},
        seen=message(headers={"own": "1", "x-total": "old"}),
    )
    assert (out.address, out.key, out.body) == ("r.eu", "eu-42", b'{"t":7}')
    assert out.headers == {"own": "1", "x-own": "1", "x-total": "7"}


def test_a_key_that_comes_out_empty_is_none() -> None:
    assert sent(key="{payload.nobody|}")[0].key is None


def test_the_address_is_that_of_the_sink_unless_the_routing_has_one() -> None:
    assert sent()[0].address == "loft.insert"
    assert sent(sink={"loft": "fixed"})[0].address == "fixed"
    assert sent(sink={"loft": ""})[0].address == ""
    assert sent(routing={"default_template": "other"})[0].address == "other"


def test_binary_payloads_go_through_raw_byte_by_byte() -> None:
    payload = bytes(range(256))
    (out,) = sent(message(payload, content_type="image/png", is_jsonb=False))
    assert (out.body, out.content_type) == (payload, "image/png")


@pytest.mark.parametrize(
    ("options", "seen", "said"),
    [
        (
            {"transform": {"filter": "length(total) > `1`"}},
            message(),
            "'length(total) > `1`' cannot be evaluated on it: length() takes string or array or object, not number",
        ),
        ({"transform": {"payload": "nothing"}}, message(), "'nothing' finds nothing in the payload"),
        (
            {"transform": {"filter": "a"}},
            message(b"x", content_type="text/plain"),
            "the payload is not JSON but text/plain",
        ),
        (
            {"transform": {"filter": "a"}},
            message(b"x", content_type=""),
            "the payload is not JSON but of no content type",
        ),
        ({"transform": {"filter": "a"}}, message(b"\xff"), "the payload cannot be read as JSON: it is not UTF-8"),
        ({"transform": {"filter": "a"}}, message(b'{"a": NaN}'), "it has a number or value that JSON does not have"),
        ({"transform": {"filter": "a"}}, message(b"1" * 5000), "or that is too long"),
        (
            {"transform": {"payload": "@"}},
            message(rb'["\ud800"]'),
            "the result cannot be written as JSON: it is not UTF-8",
        ),
        ({"transform": {"filter": "sort(@)"}}, message(b'[1, "secret"]'), "sort() takes"),
        ({"headers": {"x": "{payload.y}"}}, message(), "'{payload.y}' needs {payload.y}"),
        ({"format": "native"}, message(b"{", is_jsonb=False), "the payload cannot be read as JSON"),
    ],
)
def test_a_message_that_cannot_be_told_fails_alone(options: dict[str, Any], seen: Message, said: str) -> None:
    reason = failed(seen, **options)
    assert said in reason
    assert "secret" not in reason


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("a ||", "is not JMESPath: "),
        ("lenght(a)", "lenght(): no such function, did you mean 'length'?"),
        ("a[?contains(b)]", "contains() takes 2 arguments, not 1"),
        ("{a: join(',', b, c)}", "join() takes 2 arguments, not 3"),
        ("merge()", "merge() takes at least 1 arguments, not 0"),
        ("sort_by(a, &nonsense(b))", "nonsense(): no such function"),
        ("(" * 5000, "is n"),
    ],
)
def test_what_is_no_expression_is_said_when_it_is_read(expression: str, said: str) -> None:
    assert (transform.wrong(expression) or "").startswith(said)


PAYLOADS = st.binary(max_size=20) | st.sampled_from(
    [
        b"",
        b"null",
        b'{"v": 1, "inserted": [], "deleted": []}',
        b'{"v": 1, "inserted": [1, {"a": 1}], "deleted": [{"a": 1.0}]}',
        b'{"v": 1, "inserted": [{"a": 1}, ], "deleted": ["inserted"]}',
        b'{"a": {"b": [1, "x", null]}, "inserted": 1}',
    ]
)
CONTENT_TYPES = st.sampled_from(["application/json", "", "text/plain", "application/cloudevents+json", "x/y+json;a=b"])
FORMATS = st.sampled_from(
    [
        {"format": "raw"},
        {"format": "native", "format_options": {"include_headers": True}},
        {"format": "cloudevents", "format_options": {"type": "{payload.a.b.0|t}"}},
        {"format": "cloudevents", "format_options": {"mode": "binary"}},
        {"format": "debezium", "format_options": {"key_columns": ["a"], "emit_tombstones": True}},
    ]
)
TRANSFORMS = st.sampled_from([{}, {"filter": "a || !a"}, {"payload": "[@, max(a.b)]"}, {"payload": "@", "filter": "@"}])


@given(PAYLOADS, CONTENT_TYPES, FORMATS, TRANSFORMS, st.sampled_from([{}, {"key": "{payload.a}"}]))
def test_any_message_goes_out_or_fails_alone(
    payload: bytes, content_type: str, format: dict[str, Any], transform: dict[str, Any], more: dict[str, Any]
) -> None:
    prepare = outgoing(**format, **more, transform=transform)
    made = prepare(message(payload, content_type=content_type, is_jsonb=False))
    if not isinstance(made, Failure):
        assert len({out.event_id for out in made}) == len(made)


@given(PAYLOADS, CONTENT_TYPES, st.sampled_from(["raw", "native", "cloudevents"]), TRANSFORMS)
def test_any_message_comes_in_or_fails_alone(
    payload: bytes, content_type: str, format: str, transform: dict[str, Any]
) -> None:
    accept = accepting(format=format, transform=transform, mapping={"key": "a.b"})
    accept(incoming(payload, content_type=content_type))


def accepting(**options: Any) -> Accept:
    pipeline = read_document("p", {"inbox": "mail", "source": {"type": "pigeon", "url": "x"}, **options})
    assert isinstance(pipeline, ReversePipeline)
    return compile_incoming(pipeline)


def taken(seen: Incoming, **options: Any) -> Incoming:
    made = accepting(**options)(seen)
    assert isinstance(made, Incoming)
    return made


def test_what_comes_in_stays_as_it_is() -> None:
    seen = incoming(b"\x00\xff", content_type="image/png", headers={"a": "b"})
    assert taken(seen) is seen


def test_what_comes_in_is_filtered_named_and_projected() -> None:
    options: dict[str, Any] = {
        "transform": {"filter": "total > `5`", "payload": "{t: total}"},
        "mapping": {"event_type": "kind", "event_type_header": "X-Type", "key": "customer.id", "event_id": "id"},
    }
    seen = incoming(b'{"total": 7, "kind": "order", "customer": {"id": 42}, "id": "e1"}')
    made = taken(seen, **options)
    assert (made.event_id, made.event_type, made.key, made.payload) == ("e1", "order", "42", b'{"t":7}')
    assert made.token == seen.token
    assert taken(seen._replace(headers={"x-type": "header"}), **options).event_type == "header"
    assert accepting(**options)(incoming(b'{"total": 5}')) is None


def test_what_is_not_found_stays_as_the_source_said() -> None:
    seen = incoming(event_type="t", key="k")
    mapping = {"event_id": "no", "event_type": "no", "key": "@", "key_header": "no"}
    assert taken(seen, mapping=mapping) == seen


def test_what_comes_in_and_cannot_be_read_fails_alone() -> None:
    made = accepting(mapping={"key": "a"})(incoming(b"{"))
    assert isinstance(made, Failure) and made.kind is FailureKind.ENCODING
    made = accepting(transform={"payload": "nothing"})(incoming())
    assert isinstance(made, Failure) and made.reason == "'nothing' finds nothing in the payload"
