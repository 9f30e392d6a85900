"""Options out of JSON. Oracle: the sentences that somebody who has mistyped reads.

Lies it would catch: values that are guessed, a second mistake that is found only after the first is mended, a secret
in an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trickle.errors import ConfigurationError
from trickle.relay.options import option
from trickle.relay.problems import Misconfigured
from trickle.relay.reading import read
from trickle.relay.writing import to_json


@dataclass(frozen=True, slots=True)
class Leg:
    country: str = option("Where it leads through.")
    days: int = option("How long it takes.", default=1, unit="d", minimum=1, maximum=9)


@dataclass(frozen=True, slots=True)
class Pigeon:
    url: str = option("Pigeonry.")
    subject: str = option("Where it flies to.", default="loft.{op}", template=True)
    password: str = option("What it says there.", default="", secret=True)
    rings: tuple[str, ...] = option("Secrets on its legs.", default=(), secret=True)
    height: float = option("How high it flies.", default=20.0, unit="m", minimum=0.5, maximum=100)
    eggs: int = option("How many.", default=2, minimum=0)
    homing: bool = option("Whether it comes back.", default=True)
    breed: str = option("Which it is.", default="rock", choices=("rock", "wood", "collared"))
    names: tuple[str, ...] = option("What it listens to.", default=())
    labels: dict[str, str] = option("What is written on it.", default={})
    route: tuple[Leg, ...] = option("Where it flies.", default=())
    nest: Leg | None = option("Where it lives.", default=None)
    ttl: int | None = option("How long it lives.", default=None, minimum=1)
    weight: str | bool | int | float | None = option("Whatever.", default=None)
    cares: str = option("For what.", default="", expression=True)
    song: str = option("How it sings.", default="", pattern=True)
    default_url: str = ""

    def __post_init__(self) -> None:
        if self.breed == "wood" and not self.homing:
            raise ConfigurationError("a wood pigeon that does not come back is lost")


WHERE = "pipeline 'post'"


def wrong(**given: Any) -> list[str]:
    """What is said of each mistake, by its key; a url is given unless it is one of them."""
    with pytest.raises(Misconfigured) as caught:
        read(Pigeon, {"url": "x", **given}, WHERE, ("sink",))
    return str(caught.value).replace(f"{WHERE}: sink.", "").replace(f"{WHERE}: sink: ", "").split("; ")


def test_everything_left_out_has_its_default() -> None:
    assert read(Pigeon, {"url": "x"}, WHERE) == Pigeon(url="x")


def test_every_type_of_json_is_read() -> None:
    made = read(
        Pigeon,
        {
            "url": "x",
            "height": 3,
            "eggs": 0,
            "homing": False,
            "names": ["a", "b"],
            "labels": {"a": "b"},
            "route": [{"country": "fr"}, {"country": "de", "days": 2}],
            "nest": {"country": "be"},
            "ttl": 5,
            "weight": True,
        },
        WHERE,
    )
    assert made.route == (Leg("fr"), Leg("de", 2))
    assert (made.height, type(made.height), made.names) == (3.0, float, ("a", "b"))
    assert made.weight is True
    assert read(Pigeon, {"url": "x", "ttl": None, "nest": None}, WHERE).ttl is None


def test_the_place_is_told_whole() -> None:
    with pytest.raises(Misconfigured) as caught:
        read(Pigeon, {"url": "x", "subjct": "y"}, WHERE, ("sink",))
    assert str(caught.value) == "pipeline 'post': sink.subjct: no such key, did you mean 'subject'?"
    assert isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"height": "3"}, 'height: "3" is text, not a number: write it without quotes'),
        ({"height": True}, "height: true is not a number"),
        ({"height": 0}, "height: 0.0 is outside 0.5–100 m"),
        ({"height": float("nan")}, "height: NaN is outside 0.5–100 m"),
        ({"eggs": True}, "eggs: true is not a whole number"),
        ({"eggs": 2.5}, "eggs: 2.5 is not a whole number"),
        ({"eggs": 2.0}, "eggs: 2.0 is not a whole number"),
        ({"eggs": -1}, "eggs: -1 is outside at least 0"),
        ({"eggs": None}, "eggs: is null, leave the key out to have its default"),
        ({"homing": 1}, "homing: 1 is not true or false"),
        ({"homing": "true"}, 'homing: "true" is text, not true or false: write it without quotes'),
        ({"breed": "wod"}, "breed: \"wod\": no such choice, did you mean 'wood'?"),
        ({"breed": "dodo"}, 'breed: "dodo": no such choice, there are collared, rock, wood'),
        ({"url": ""}, "url: is empty: Pigeonry."),
        ({"url": 5}, "url: 5 is not text: write it in quotes"),
        ({"url": {}}, "url: {} is not text"),
        ({"names": "a"}, 'names: "a" is not a list of texts'),
        ({"names": ["a", 5]}, "names[1]: 5 is not text: write it in quotes"),
        ({"labels": ["a"]}, 'labels: ["a"] is not an object of texts'),
        ({"labels": {"a": 1}}, "labels.a: 1 is not text: write it in quotes"),
        ({"labels": {1: "a"}}, "labels.1: the key 1 is not text: write it in quotes"),
        ({"route": [{}]}, "route[0].country: is missing: Where it leads through."),
        ({"route": [{"country": "fr", "day": 1}]}, "route[0].day: no such key, did you mean 'days'?"),
        ({"route": {}}, "route: {} is not a list of objects"),
        ({"nest": 5}, "nest: 5 is not an object"),
        ({"ttl": 0}, "ttl: 0 is outside at least 1"),
        ({"default_url": "y"}, "default_url: no such key, there are breed, "),
        ({"cares": "a ||"}, "cares: is not JMESPath"),
        ({"song": "(coo"}, "song: is not a regular expression: missing ), unterminated subpattern at position 0"),
        ({"subject": "a.{opp}"}, "subject: {opp}: no such placeholder, did you mean 'op'?"),
        ({"breed": "wood", "homing": False}, "a wood pigeon that does not come back is lost"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, Any], said: str) -> None:
    (told,) = wrong(**given)
    assert told.startswith(said)


def test_all_mistakes_are_told_in_order() -> None:
    with pytest.raises(Misconfigured) as caught:
        read(Pigeon, {"eggs": "2", "bred": "rock", "height": -1, "route": [{"days": 10}]}, WHERE)
    keys = [".".join(map(str, problem.path)) for problem in caught.value.problems]
    assert keys == ["eggs", "bred", "height", "route.0.days", "route.0.country", "url"]


@pytest.mark.parametrize("given", [None, 5, "text", ["a"]])
def test_what_is_no_object_is_refused(given: object) -> None:
    with pytest.raises(Misconfigured, match="is not an object of keys and values"):
        read(Pigeon, given, WHERE)


@pytest.mark.parametrize(
    "given",
    [
        {"password": "hunter22"},
        {"password": 4711},
        {"rings": ["${env:A}", "hunter22"]},
        {"url": "nats://me:hunter22@loft:4222"},
        {"url": "nats://a:${env:A}@loft,nats://me:hunter22@loft"},
        {"url": "host=loft password=hunter22 dbname=x"},
        {"url": "postgresql://loft/x?password=hunter22"},
        {"names": ["amqp://me:hunter22@loft"]},
        {"labels": {"Authorization": "Bearer hunter22"}},
    ],
)
def test_a_secret_in_clear_is_refused_and_not_repeated(given: dict[str, Any]) -> None:
    (told,) = wrong(**given)
    assert "hunter22" not in told and "4711" not in told
    assert "clear: use ${env:NAME} or ${file:/path}" in told or "what is given is not text" in told


@pytest.mark.parametrize(
    "given",
    [
        {"password": "${env:PASSWORD}"},
        {"password": "${file:/run/secrets/pigeon}"},
        {"password": ""},
        {"rings": ["${env:A}", "x${env:B}"]},
        {"url": "postgresql://me:${env:PASSWORD}@loft/x"},
        {"url": "postgresql://me:${file:/run/secrets/p}@loft:5432/x?sslmode=require"},
        {"url": "host=loft password=${env:PASSWORD}"},
        {"url": "https://loft:8443/a@b"},
        {"url": "${env:URL}"},
        {"subject": "${env:STAGE}.{op}"},
        {"cares": "password == 'x'"},
        {"labels": {"Authorization": "Bearer ${env:TOKEN}", "x": "y"}},
    ],
)
def test_references_stand_for_secrets(given: dict[str, Any]) -> None:
    read(Pigeon, {"url": "x", **given}, WHERE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${ENV:PASSWORD}", "${ENV:…} is no reference"),
        ("${vault:a/b}", "${vault:…} is no reference"),
        ("${env:PASSWORD", "${env:…} is no reference"),
        ("${env:}", '"" cannot be the name of an environment variable'),
        ("${env:PASS-WORD}", '"PASS-WORD" cannot be the name of an environment variable'),
        ("${file:secret}", 'the file "secret" needs its whole path, beginning with /'),
    ],
)
def test_what_is_like_a_reference_is_one(text: str, said: str) -> None:
    for key in ("password", "url"):
        assert wrong(**{key: text})[0].startswith(f"{key}: {said}")


def test_a_secret_is_not_in_the_repr() -> None:
    made = read(Pigeon, {"url": "x", "password": "${env:PASSWORD}", "rings": ["${env:RING}"]}, WHERE)
    assert "env:" not in repr(made)


TEXTS = st.text(st.characters(exclude_characters="${}", codec="utf-8"), min_size=1, max_size=8).filter(
    lambda text: "password" not in text and "://" not in text
)
LEGS = st.builds(Leg, country=TEXTS, days=st.integers(1, 9))


@given(
    st.builds(
        Pigeon,
        url=TEXTS,
        subject=st.sampled_from(["", "a.{op}", "{{{key|none}}}"]),
        password=st.sampled_from(["", "${env:A}"]),
        rings=st.lists(st.just("${file:/a}"), max_size=2).map(tuple),
        height=st.floats(0.5, 100),
        eggs=st.integers(0, 2**70),
        homing=st.just(True),
        breed=st.sampled_from(["rock", "wood"]),
        names=st.lists(TEXTS, max_size=2).map(tuple),
        labels=st.dictionaries(TEXTS, TEXTS, max_size=2),
        route=st.lists(LEGS, max_size=2).map(tuple),
        nest=st.none() | LEGS,
        ttl=st.none() | st.integers(1, 5),
        weight=st.none() | TEXTS | st.booleans() | st.integers() | st.floats(allow_nan=False),
        cares=st.sampled_from(["", "a.b"]),
        song=st.sampled_from(["", "co+"]),
    ),
    st.booleans(),
)
def test_what_is_written_reads_the_same(pigeon: Pigeon, with_defaults: bool) -> None:
    again = read(Pigeon, to_json(pigeon, with_defaults=with_defaults), WHERE)
    assert again == pigeon
    assert to_json(again) == to_json(pigeon)
