"""Templates and rules. Oracle: what an address should be, written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pigeon import message

from trickle.errors import ConfigurationError
from trickle.relay import templates
from trickle.relay.message import Message
from trickle.relay.problems import Misconfigured
from trickle.relay.reading import read
from trickle.relay.routing import Routing, compile_routing
from trickle.relay.view import Surroundings, Unusable, View

AROUND = Surroundings("p", "orders", "nats")


def rendered(source: str, seen: Message | None = None) -> str:
    return templates.parse(source).render(View(seen or message(), AROUND))


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("orders", "orders"),
        ("", ""),
        ("{pipeline}.{outbox}.{op}.{outbox_id}.{key}", "p.orders.insert.11.42"),
        ("{event_id}", "2f0c1b1e-0000-4000-8000-00000000000b"),
        ("{event_type}", "order.placed"),
        ("{headers.x-trace.id}", "t1"),
        ("{payload.region}", "eu"),
        ("{payload.total}", "7"),
        ("{payload.rate}", "1.5"),
        ("{payload.big}", "123456789012345678901"),
        ("{payload.paid}-{payload.open}", "true-false"),
        ("{payload.lines.1.sku}", "b"),
        ("{payload.a b}", "blank"),
        ("{ payload.region }", "eu"),
        ("{{{key}}}", "{42}"),
        ("{{key}}", "{key}"),
        ("$${key}", "$$42"),
        ("{payload.nothing|else}", "else"),
        ("{payload.nothing|}", ""),
        ("{payload.empty|else}", "else"),
        ("{payload.empty}", ""),
        ("{payload.lines.7.sku|x}", "x"),
        ("{payload.region.deeper|x}", "x"),
        ("{headers.none|a|b}", "a|b"),
    ],
)
def test_a_template_is_filled_in(source: str, made: str) -> None:
    payload = (
        b'{"region": "eu", "total": 7, "rate": 1.50, "big": 123456789012345678901, "paid": true, "open": false,'
        b' "lines": [{"sku": "a"}, {"sku": "b"}], "a b": "blank", "empty": "", "none": null}'
    )
    assert rendered(source, message(payload, headers={"type": "order.placed", "x-trace.id": "t1"})) == made


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{opp}", "{opp}: no such placeholder, did you mean 'op'?"),
        ("{region}", "{region}: no such placeholder, there are event_id, "),
        ("a{", "{ stands alone at character 2, double it if it means itself"),
        ("a}b", "} stands alone at character 2"),
        ("{a{b}", "{ stands alone at character 1"),
        ("{}", "{}: no such placeholder"),
        ("{payload}", "{payload}: say which, as in {payload.region}"),
        ("{payload.}", "{payload.}: say which"),
        ("{payload.a..b}", "{payload.a..b}: say which"),
        ("{headers}", "{headers}: say which"),
        ("{key.a}", "{key.a}: key has no parts, write {key}"),
    ],
)
def test_what_is_no_template_is_refused(source: str, said: str) -> None:
    assert (templates.wrong(source) or "").startswith(said)
    with pytest.raises(ConfigurationError):
        templates.parse(source)


@pytest.mark.parametrize(
    ("source", "seen", "said"),
    [
        ("{payload.a}", message(), "'{payload.a}' needs {payload.a}, which the message does not have"),
        ("{payload.a|x}", message(b'{"a": []}'), "which the message has no single value there"),
        ("{key}", message(key=None), "needs {key}, which the message does not have"),
        ("{payload.a}", message(b"\xff", content_type="image/png"), "the payload is not JSON but image/png"),
        ("{payload.a}", message(b"{", is_jsonb=False), "the payload cannot be read as JSON: "),
        ("{payload.a}", message(b"[" * 100_000 + b"]" * 100_000), "it is nested too deeply"),
    ],
)
def test_a_message_that_lacks_a_value_is_unusable(source: str, seen: Message, said: str) -> None:
    with pytest.raises(Unusable) as caught:
        rendered(source, seen)
    assert said in str(caught.value)


@given(st.text())
def test_doubled_braces_make_any_text_mean_itself(text: str) -> None:
    parsed = templates.parse(text.replace("{", "{{").replace("}", "}}"))
    assert parsed.constant == text


@given(st.text(), st.text(alphabet="{}.|abkeyop"))
def test_any_text_is_a_template_or_told_why_not(text: str, likely: str) -> None:
    for source in (text, likely):
        assert templates.wrong(source) is None or templates.wrong(source)


def routed(routing: dict[str, Any], seen: Message | None = None, of_sink: str = "sink.{op}") -> str:
    address = compile_routing(read(Routing, routing, "p"), of_sink)
    return address(View(seen or message(), AROUND))


def test_the_template_of_the_sink_counts_where_the_routing_has_none() -> None:
    assert routed({}) == "sink.insert"
    assert routed({}, of_sink="") == ""
    assert routed({"default_template": "mine.{key}"}) == "mine.42"


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ({"match_field": "region", "match_value": "eu"}, True),
        ({"match_field": "payload.region", "match_value": "eu"}, True),
        ({"match_field": "region", "match_value": "EU"}, False),
        ({"match_field": "total", "match_value": 7}, True),
        ({"match_field": "total", "match_value": 7.0}, True),
        ({"match_field": "total", "match_value": "7"}, True),
        ({"match_field": "paid", "match_value": True}, True),
        ({"match_field": "paid", "match_value": 1}, False),
        ({"match_field": "one", "match_value": True}, False),
        ({"match_field": "region", "match_pattern": "^e"}, True),
        ({"match_field": "region", "match_pattern": "^u"}, False),
        ({"match_field": "total", "match_pattern": "[0-9]"}, True),
        ({"match_field": "total", "match_min": 7}, True),
        ({"match_field": "total", "match_min": 7.5}, False),
        ({"match_field": "total", "match_min": 5, "match_max": 6}, False),
        ({"match_field": "total", "match_max": 7}, True),
        ({"match_field": "region", "match_min": 0}, False),
        ({"match_field": "headers.priority", "match_min": 5}, True),
        ({"match_field": "headers.priority", "match_value": 9}, True),
        ({"match_field": "op", "match_value": "insert"}, True),
        ({"match_field": "lines.0.sku", "match_value": "a"}, True),
        ({"match_field": "nothing.there", "match_value": "a"}, False),
        ({"match_field": "lines", "match_pattern": "a"}, False),
    ],
)
def test_a_rule_compares(rule: dict[str, Any], matches: bool) -> None:
    payload = b'{"region": "eu", "total": 7, "paid": true, "one": 1, "lines": [{"sku": "a"}]}'
    found = routed({"rules": [{**rule, "subject": "hit"}]}, message(payload, headers={"priority": "9"}))
    assert found == ("hit" if matches else "sink.insert")


def test_the_first_rule_that_matches_counts() -> None:
    rules = [
        {"match_field": "region", "match_value": "us", "subject": "us"},
        {"match_field": "region", "match_value": "eu", "subject": "eu.{payload.total}"},
        {"match_field": "total", "match_value": 7, "subject": "seven"},
    ]
    assert routed({"rules": rules}) == "eu.7"


def test_an_address_that_comes_out_empty_is_not_the_default_of_the_sink() -> None:
    with pytest.raises(Unusable, match="gives an empty address"):
        routed({"default_template": "{headers.topic}"}, message(headers={"topic": ""}))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"match_field": "a", "subject": "s"}, "rules[0]: a rule has one of match_value, match_pattern, and"),
        ({"match_field": "a", "match_value": 1, "match_min": 1, "subject": "s"}, "rules[0]: a rule has one of"),
        ({"match_field": "payload", "match_value": 1, "subject": "s"}, "rules[0]: {payload}: say which"),
        ({"match_field": "a", "match_pattern": "[", "subject": "s"}, "rules[0].match_pattern: is not a regular"),
        ({"match_field": "a", "match_value": [], "subject": "s"}, "rules[0].match_value: [] is not text or true or"),
        ({"match_field": "a", "match_value": 1}, "rules[0].subject: is missing: Address of what matches"),
        ({"match_field": "a", "match_value": 1, "subject": "{x}"}, "rules[0].subject: {x}: no such placeholder"),
    ],
)
def test_what_is_no_rule_is_refused(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read(Routing, {"rules": [rule]}, "p")
    assert str(caught.value).startswith(f"p: {said}")
