"""Pipelines in files, and what has to be done so that the catalog says the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pigeon import pigeon_post

from trickle.errors import ConfigurationError
from trickle.relay import declare
from trickle.relay.declare import read_file, read_text
from trickle.relay.diff import Deed, plan, render
from trickle.relay.pipeline import ForwardPipeline, Pipeline, ReversePipeline, read_document


@pytest.fixture(scope="module", autouse=True)
def _post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pigeon_post(tmp_path_factory.mktemp("post")):
        yield


YAML = """\
pipelines:
  orders-to-pigeons:
    outbox: orders
    sink: {type: pigeon, url: "x", loft: "orders.{op}"}
    transform:
      filter: "total > `100`"
  mail:
    inbox: mail
    source:
      type: pigeon
      url: x
"""

TOML = """\
[pipelines.orders-to-pigeons]
outbox = "orders"
sink = { type = "pigeon", url = "x", loft = "orders.{op}" }
transform.filter = "total > `100`"

[pipelines.mail]
inbox = "mail"
[pipelines.mail.source]
type = "pigeon"
url = "x"
"""


def said(text: str, name: str = "relay.yaml") -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read_text(text, name)
    return str(caught.value).splitlines()


def test_yaml_and_toml_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(YAML)
    (tmp_path / "a.toml").write_text(TOML)
    made = read_file(tmp_path / "a.yml")
    assert made == read_file(tmp_path / "a.toml")
    assert [pipeline.name for pipeline in made] == ["orders-to-pigeons", "mail"]


def test_the_example_is_one() -> None:
    example = "\n".join(line for line in (declare.__doc__ or "").splitlines() if line.startswith("    "))
    orders, mail = read_text(example, "relay.yaml")
    assert isinstance(orders, ForwardPipeline) and orders.sink.type == "nats"
    assert isinstance(mail, ReversePipeline) and mail.source.type == "kafka"


def test_every_mistake_is_told_with_its_line() -> None:
    text = """\
pipelines:
  one:
    outbox: orders
    batch_size: "5"
    sink:
      type: pigeon
      lofft: x
    retry:
      backoff_ms: 40000
  two:
    inbox: mail
    source: {type: dove}
    on: true
"""
    assert said(text) == [
        'relay.yaml:4: pipelines.one.batch_size: "5" is text, not a whole number: write it without quotes',
        "relay.yaml:7: pipelines.one.sink.lofft: no such key, did you mean 'loft'?",
        "relay.yaml:5: pipelines.one.sink.url: is missing: Pigeonry.",
        "relay.yaml:8: pipelines.one.retry: max_backoff_ms is less than backoff_ms",
        "relay.yaml:12: pipelines.two.source.type: 'dove': no such type of source, "
        "there are file, kafka, mqtt, nats, pigeon, postgres, rabbitmq, redis, stdin, webhook",
        "relay.yaml:10: pipelines.two.True: the key true is not text: write it in quotes",
    ]


def test_in_toml_it_is_told_with_its_keys() -> None:
    assert said(TOML.replace('outbox = "orders"', 'outbx = "orders"'), "relay.toml") == [
        "relay.toml: pipelines.orders-to-pigeons.outbx: no such key, did you mean 'outbox'?",
        "relay.toml: pipelines.orders-to-pigeons.outbox: is missing: Outbox that is read.",
    ]


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("", "r.yaml", "r.yaml: there is no object with the key pipelines"),
        ("- a", "r.yaml", "r.yaml:1: there is no object with the key pipelines"),
        ("pipelnes: {}", "r.yaml", "r.yaml:1: pipelnes: no such key, did you mean 'pipelines'?"),
        ("pipelines:", "r.yaml", "r.yaml:1: pipelines: null is not an object of pipelines by name"),
        ("pipelines: [a]", "r.yaml", 'r.yaml:1: pipelines: ["a"] is not an object of pipelines by name'),
        ("pipelines:\n  1: {}", "r.yaml", "r.yaml:2: pipelines.1: the name 1 is not text: write it in quotes"),
        ("pipelines:\n  a: b", "r.yaml", 'r.yaml:2: pipelines.a: "b" is not an object of keys and values'),
        ("a: b: c", "r.yaml", "r.yaml:1: not YAML: mapping values are not allowed here"),
        ("a: 1\n---\nb: 1", "r.yml", "r.yml:2: not YAML: but found another document"),
        ("pipelines: !!python/object:os.system {}", "r.yaml", "r.yaml:1: not YAML: could not determine a constructor"),
        ("a: \x00", "r.yaml", "r.yaml is not YAML: "),
        ("a = ", "r.toml", "r.toml is not TOML: Invalid value"),
        ("a: 1", "r.json", "r.json: the name ends in none of .yaml, .yml and .toml"),
    ],
)
def test_what_is_no_file_of_pipelines_is_said(text: str, name: str, told: str) -> None:
    assert said(text, name)[0].startswith(told)


def test_what_stands_there_twice_is_said() -> None:
    assert said(YAML + "  mail:\n    inbox: post\n    source: {type: pigeon, url: x}\n") == [
        "relay.yaml:12: pipelines.mail: stands there twice"
    ]


def test_parts_may_be_shared() -> None:
    text = """\
pipelines:
  a: &a
    outbox: orders
    sink: &sink {type: pigeon, url: x}
  b:
    <<: *a
    sink:
      <<: *sink
      loft: other
      eggs: many
"""
    assert said(text) == [
        'relay.yaml:10: pipelines.b.sink.eggs: "many" is text, not a whole number: write it without quotes'
    ]
    assert len(read_text(text.replace("many", "3"), "relay.yaml")) == 2
    assert said("pipelines: &a\n  a: *a")[0].startswith("relay.yaml:2: pipelines.a: a pipeline has an outbox and")


@given(st.text(alphabet="ab:{}[]&*-|>!'\"\n #,?%@`\\0~<", max_size=30), st.sampled_from(["r.yaml", "r.toml"]))
def test_any_text_is_told_what_is_wrong(text: str, name: str) -> None:
    for prefix in ("", "pipelines:\n  a: ", "[pipelines.a]\n"):
        with pytest.raises(ConfigurationError):
            read_text(prefix + text, name)


def test_what_contains_itself_is_refused() -> None:
    assert said("pipelines: {a: {outbox: &x [*x], sink: {type: pigeon, url: x}}}") == [
        "relay.yaml:1: pipelines.a.outbox: what is given is not text"
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*none\.yaml: No such file or directory"):
        read_file(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(ConfigurationError, match=r"latin\.yaml is not UTF-8 text"):
        read_file(tmp_path / "latin.yaml")


def forward(name: str, **options: object) -> Pipeline:
    sink = {"type": "pigeon", "url": "x", **dict(options.pop("sink", {}))}  # type: ignore[call-overload]
    return read_document(name, {"outbox": "orders", "sink": sink, **options})


def test_a_plan_has_what_is_to_be_done() -> None:
    reverse = read_document("turned", {"inbox": "mail", "source": {"type": "pigeon", "url": "x"}})
    current = {
        "same": forward("same"),
        "other": forward("other", sink={"password": "${env:OLD}"}, headers={"a": "1"}),
        "turned": forward("turned"),
        "broken": None,
        "left": forward("left"),
    }
    wanted = [
        forward("new"),
        forward("same", batch_size=500),
        forward(
            "other",
            sink={"loft": "l", "password": "${file:/new}"},
            transform={"filter": "a"},
            retry={"max_attempts": 2},
        ),
        reverse,
        forward("broken"),
    ]
    made = plan(current, wanted)
    assert [(step.deed, step.name) for step in made.steps] == [
        (Deed.CREATE, "new"),
        (Deed.NOTHING, "same"),
        (Deed.CHANGE, "other"),
        (Deed.CHANGE, "turned"),
        (Deed.CHANGE, "broken"),
        (Deed.KEEP, "left"),
    ]
    assert not made.changes_nothing
    shown = render(made)
    assert shown.startswith(
        """\
create    new  outbox orders → pigeon
change    other
            sink.loft: "loft.{op}" → "l"
            sink.password: "${env:OLD}" → "${file:/new}"
            transform.filter: "" → "a"
            headers: {"a": "1"} → {}
            retry.max_attempts: 5 → 2
change    turned
            inbox: absent → "mail"
            source.type: absent → "pigeon"
"""
    )
    assert shown.endswith(
        """\
change    broken
            what cannot be read → what the file says
keep      left  (not in the file; pruning would delete it)
1 to create, 3 to change, 1 unchanged, 1 not in the file"""
    )


def test_pruning_deletes_what_the_file_does_not_name() -> None:
    made = plan({"a": forward("a"), "b": None}, [forward("a")], prune=True)
    assert render(made) == "delete    b\n1 to delete, 1 unchanged"
    assert plan({"a": forward("a"), "b": None}, [forward("a")]).changes_nothing
    assert render(plan({}, [])) == "no pipelines"


def test_secrets_are_not_shown() -> None:
    """What the catalog has may have been written by something that did not look at it."""
    before, after = forward("a"), forward("a", sink={"password": "${env:PW}"})
    object.__setattr__(before.sink.options, "password", "hunter22")
    object.__setattr__(before.sink.options, "url", "nats://me:hunter22@h")
    shown = render(plan({"a": before}, [after]))
    assert "hunter22" not in shown
    assert 'sink.password: (a secret) → "${env:PW}"' in shown
    assert 'sink.url: (a secret) → "x"' in shown


def test_true_is_another_value_than_one() -> None:
    rule = {"match_field": "a", "subject": "b"}
    before = forward("a", routing={"rules": [{**rule, "match_value": 1}]})
    after = forward("a", routing={"rules": [{**rule, "match_value": True}]})
    assert not plan({"a": before}, [after]).changes_nothing
