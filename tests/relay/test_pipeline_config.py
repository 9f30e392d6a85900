"""Whole pipelines: rows of the catalog, documents of files, configurations of pg_tide; the page about their keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pigeon import pigeon_post
from support.repository import ROOT

from trickle.relay import registry
from trickle.relay.describe import markdown_page, option_table
from trickle.relay.formats.debezium import DebeziumOptions
from trickle.relay.pipeline import (
    ForwardPipeline,
    Pipeline,
    ReversePipeline,
    StoredPipeline,
    read_document,
    read_pipeline,
    resolve,
    to_document,
    to_stored,
)
from trickle.relay.problems import Misconfigured
from trickle.relay.settings import Delivery, Intake, Retry, Transform


@pytest.fixture(scope="module", autouse=True)
def _post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pigeon_post(tmp_path_factory.mktemp("post")):
        yield


PIGEON = {"type": "pigeon", "url": "x"}


def forward(**options: Any) -> ForwardPipeline:
    made = read_document("post", {"outbox": "orders", "sink": PIGEON, **options})
    assert isinstance(made, ForwardPipeline)
    return made


def wrong(document: object) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        read_document("post", document)
    return str(caught.value).removeprefix("pipeline 'post': ").split("; pipeline 'post': ")


def test_what_is_left_out_has_its_default() -> None:
    made = forward()
    assert (made.name, made.outbox, made.group, made.enabled) == ("post", "orders", "post", True)
    assert (made.sink.type, made.sink.options.url) == ("pigeon", "x")
    assert made.delivery == Delivery()
    assert (made.delivery.batch_size, made.delivery.max_in_flight, made.delivery.max_in_flight_bytes) == (
        500,
        2000,
        2**24,
    )
    assert made.delivery.retry == Retry(5, 100, 30000)


def test_everything_that_is_given_is_read() -> None:
    made = forward(
        group="g",
        enabled=False,
        batch_size=100,
        format="debezium",
        format_options={"key_columns": ["id"]},
        transform={"filter": "a"},
        routing={"rules": [{"match_field": "a", "match_value": "b", "subject": "c"}]},
        headers={"x": "{op}"},
        retry={"max_attempts": 7},
    )
    assert (made.group, made.enabled, made.delivery.batch_size) == ("g", False, 100)
    assert made.format_options == DebeziumOptions(key_columns=("id",))
    assert made.delivery.transform == Transform(filter="a")
    assert made.delivery.retry.max_attempts == 7


def test_a_row_of_the_catalog_is_a_pipeline() -> None:
    made = read_pipeline(StoredPipeline("post", "forward", "orders", None, True, PIGEON, {"batch_size": 7}))
    assert made == forward(batch_size=7)
    made = read_pipeline(StoredPipeline("in", "reverse", "mail", None, False, PIGEON, {"format": "native"}))
    assert isinstance(made, ReversePipeline)
    assert (made.inbox, made.enabled, made.intake) == ("mail", False, Intake(format="native"))


def test_all_mistakes_are_told_in_order() -> None:
    assert wrong(
        {
            "batch_size": 0,
            "sink": {"type": "pigeon", "lofft": "x", "password": "clear"},
            "rety": {},
            "retry": {"max_attempts": "5"},
            "format": "debezium",
            "format_options": {"key_column": ["id"]},
            "transform": {"filter": "a ||"},
        }
    )[:-1] == [
        "batch_size: 0 is outside 1–100000",
        "sink.lofft: no such key, did you mean 'loft'?",
        "sink.password: a secret stands here in clear: use ${env:NAME} or ${file:/path}",
        "sink.url: is missing: Pigeonry.",
        "rety: no such key, did you mean 'retry'?",
        'retry.max_attempts: "5" is text, not a whole number: write it without quotes',
        "format_options.key_column: no such key, did you mean 'key_columns'?",
        'transform.filter: is not JMESPath: Invalid jmespath expression: Incomplete expression: "a ||" ^',
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "[] is not an object of keys and values"),
        ({}, "a pipeline has an outbox and a sink, or a source and an inbox"),
        ({"outbox": "a", "inbox": "b"}, "a pipeline has an outbox and a sink, or a source and an inbox"),
        ({"outbox": "a"}, "sink: is missing: Where messages go: `type` and the options of that type."),
        ({"sink": PIGEON}, "outbox: is missing: Outbox that is read."),
        ({"outbox": "a", "sink": 5}, "sink: 5 is not an object"),
        ({"outbox": "a", "sink": {"url": "x"}}, "sink.type: is missing: one of nats, kafka, redis, "),
        (
            {"outbox": "a", "sink": {"type": "pigeo"}},
            "sink.type: 'pigeo': no such type of sink, did you mean 'pigeon'?",
        ),
        ({"outbox": "a", "sink": PIGEON, "outbx": 1}, "outbx: no such key, did you mean 'outbox'?"),
        ({"outbox": "a", "sink": PIGEON, "format": "xml"}, 'format: "xml": no such choice, there are cloudevents, '),
        ({"outbox": "a", "sink": PIGEON, "format": {}}, "format: {} is not text"),
        ({"outbox": "a", "sink": PIGEON, "format_options": 5}, "format_options: 5 is not an object"),
        ({"outbox": "a", "sink": PIGEON, "retry": {"backoff_ms": 40000}}, "retry: max_backoff_ms is less than"),
        (
            {"outbox": "a", "sink": PIGEON, "format": "debezium", "format_options": {"emit_truncates": True}},
            "format_options.emit_truncates: needs ordering = all",
        ),
        ({"inbox": "a", "source": PIGEON, "format": "debezium"}, 'format: "debezium": no such choice, there are'),
        ({"inbox": "a", "source": PIGEON, "routing": {}}, "routing: no such key"),
    ],
)
def test_what_is_wrong_is_said(document: object, said: str) -> None:
    assert wrong(document)[0].startswith(said)


def test_a_pipeline_keeps_its_references_until_it_is_opened() -> None:
    made = forward(sink={**PIGEON, "password": "${env:PW}"}, headers={"authorization": "Bearer ${env:PW}"})
    assert made.sink.options.password == "${env:PW}"
    resolved = resolve(made, {"PW": "hunter22"})
    assert resolved.options.sink.options.password == "hunter22"
    assert resolved.options.delivery.headers == {"authorization": "Bearer hunter22"}
    assert "hunter22" not in repr(resolved)
    with pytest.raises(Misconfigured) as caught:
        resolve(made, {})
    assert str(caught.value) == (
        "pipeline 'post': sink.password: the environment variable PW is not set; "
        "pipeline 'post': headers.authorization: the environment variable PW is not set"
    )


def test_configurations_of_pg_tide_are_read() -> None:
    made = read_document(
        "post",
        {
            "schema_version": 1,
            "source_type": "outbox",
            "source": {"outbox": "orders"},
            "sink_type": "pigeon",
            "sink": {"url": "x"},
            "batch_size": 100,
            "retry": {"max_retries": 4, "backoff_ms": 200},
            "dlq": {"enabled": False, "max_retries": 9},
            "encoding": {"format": "cloudevents"},
            "transforms": [{"filter": "a"}, {"payload": "b"}],
            "circuit_breaker": {"failure_threshold": 3, "success_threshold": 2, "half_open_timeout_seconds": 10},
            "rate_limit": {"max_messages_per_second": 50, "burst_size": 5},
            "routing": {"rules": [{"match_field": "a", "match_value": "b", "subject": "c"}], "default_template": "d"},
        },
    )
    assert made == forward(
        batch_size=100,
        retry={"max_attempts": 5, "backoff_ms": 200},
        dead_letters={"enabled": False},
        format="cloudevents",
        transform={"filter": "a", "payload": "b"},
        circuit_breaker={"failure_threshold": 3, "half_open_seconds": 10},
        rate_limit={"max_messages_per_second": 50, "burst": 5},
        routing={"rules": [{"match_field": "a", "match_value": "b", "subject": "c"}], "default_template": "d"},
    )


def test_the_feature_pages_of_pg_tide_are_read_too() -> None:
    base = {"source_type": "outbox", "source": {"outbox": "orders"}, "sink_type": "pigeon", "sink": {"url": "x"}}
    more = {"wire_format": "debezium", "wire_config": {"server_name": "s"}, "transform": {"filter": "a"}}
    same = {"format": "debezium", "format_options": {"server_name": "s"}, "transform": {"filter": "a"}}
    assert read_document("post", {**base, **more, "dlq": {"max_retries": 2}}) == forward(
        **same, retry={"max_attempts": 3}
    )
    reverse = {"source_type": "pigeon", "source": {"url": "x"}, "sink_type": "inbox", "sink": {"inbox": "mail"}}
    assert read_document("in", reverse) == read_document("in", {"inbox": "mail", "source": PIGEON})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"schema_version": 2}, "schema_version: only version 1 can be read"),
        ({"source_type": "pigeon"}, "source_type: one end is in the database: source_type outbox, or sink_type inbox"),
        ({"retry": 5}, "retry: 5 is not an object"),
        ({"dlq": {"retries": 5}}, "dead_letters.retries: no such key"),
        ({"encoding": {"codec": "avro"}}, "encoding: no such key"),
        ({"transforms": [{"map": "x"}]}, "transforms[0]: is neither a filter nor a payload"),
        ({"transforms": [{"payload": "x"}, {"filter": "x"}]}, "transforms[1]: there is one filter, and one payload"),
        ({"source": {}}, "outbox: is null, leave the key out to have its default"),
        ({"colour": 1}, "colour: no such key"),
    ],
)
def test_what_cannot_be_read_of_pg_tide_is_said(more: dict[str, Any], said: str) -> None:
    base = {"source_type": "outbox", "source": {"outbox": "orders"}, "sink_type": "pigeon", "sink": {"url": "x"}}
    assert any(told.startswith(said) for told in wrong({**base, **more}))


NAMES = st.text(st.characters(exclude_characters="${}", codec="utf-8"), min_size=1, max_size=5)
DOCUMENTS = st.fixed_dictionaries(
    {"outbox": NAMES, "sink": st.just({**PIGEON, "password": "${env:PW}", "route": [{"country": "fr"}]})},
    optional={
        "group": NAMES,
        "enabled": st.booleans(),
        "batch_size": st.integers(1, 100000),
        "ordering": st.sampled_from(["key", "all", "none"]),
        "transform": st.fixed_dictionaries({}, optional={"filter": st.just("a"), "payload": st.just("b")}),
        "routing": st.just({"rules": [{"match_field": "a", "match_min": 1, "subject": "b.{op}"}]}),
        "headers": st.dictionaries(NAMES, NAMES, max_size=2),
        "circuit_breaker": st.fixed_dictionaries({"half_open_seconds": st.integers(1, 60)}),
    },
) | st.fixed_dictionaries(
    {"inbox": NAMES, "source": st.just(PIGEON)},
    optional={
        "enabled": st.booleans(),
        "format": st.sampled_from(["raw", "native", "cloudevents"]),
        "mapping": st.fixed_dictionaries({}, optional={"key": st.just("a.b"), "key_header": NAMES}),
    },
)


@settings(max_examples=50)
@given(NAMES, DOCUMENTS, st.booleans())
def test_what_is_written_reads_the_same(name: str, document: dict[str, Any], with_defaults: bool) -> None:
    made: Pipeline = read_document(name, document)
    assert read_document(name, to_document(made, with_defaults=with_defaults)) == made
    assert read_pipeline(to_stored(made, with_defaults=with_defaults)) == made
    assert to_document(read_document(name, to_document(made))) == to_document(made)


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["pigeon", "${env:A}", "{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["outbox", "inbox", "sink", "source", "type", "source_type", "sink_type", "retry", "format", "format_options"]
KEYS += [
    "transform",
    "transforms",
    "routing",
    "rules",
    "headers",
    "mapping",
    "dlq",
    "encoding",
    "batch_size",
    "enabled",
]


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(KEYS), ANY_JSON | st.dictionaries(st.sampled_from(KEYS), ANY_JSON, max_size=3)))
def test_whatever_is_given_is_a_pipeline_or_told_why_not(document: dict[str, Any]) -> None:
    try:
        made = read_document("post", document)
    except Misconfigured as error:
        assert error.problems
    else:
        assert read_document("post", to_document(made)) == made


def test_what_is_written_has_no_defaults_unless_they_are_asked_for() -> None:
    document = {"outbox": "orders", "sink": PIGEON, "retry": {"max_attempts": 2}}
    assert to_document(read_document("post", document)) == document
    everything = to_document(read_document("post", {"outbox": "orders", "sink": PIGEON}), with_defaults=True)
    assert everything["retry"] == {"max_attempts": 5, "backoff_ms": 100, "max_backoff_ms": 30000}
    assert (everything["group"], everything["sink"]["eggs"]) == ("post", 2)


def test_the_table_of_options_says_what_they_may_be() -> None:
    connector = registry.find(registry.Kind.SINK, "pigeon")
    assert list(option_table(connector.options))[2:] == [
        "| `url` | must be given | text | Pigeonry. |",
        "| `loft` | `loft.{op}` | text, template | Where it flies to. |",
        "| `password` | – | text, secret | What it says there. |",
        "| `rings` | – | a list of texts, secret | Secrets on its legs. |",
        "| `height` | `20.0` | 0.5–100 m | How high it flies. |",
        "| `eggs` | `2` | at least 0 | How many. |",
        "| `homing` | `true` | true or false | Whether it comes back. |",
        "| `breed` | `rock` | `rock`, `wood`, `collared` | Which it is. |",
        "| `names` | – | a list of texts | What it listens to. |",
        "| `labels` | – | an object of texts | What is written on it. |",
        "| `route[].country` | must be given | text | Where it leads through. |",
        "| `route[].days` | `1` | 1–9 d | How long it takes. |",
        "| `ttl` | – | at least 1 | How long it lives. |",
    ]


def test_the_page_of_connectors_is_fresh() -> None:
    assert (ROOT / "docs" / "connectors.md").read_text(encoding="utf-8") == markdown_page()
