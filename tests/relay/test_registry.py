"""Connectors by name: ours, those of other packages, and what is said when there is none."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields

import pytest
from support.pigeon import pigeon_post
from support.repository import PACKAGE, setup_cfg

from trickle.errors import ConfigurationError
from trickle.relay import options, registry
from trickle.relay.connector import SinkConnector, SourceConnector
from trickle.relay.registry import BUILT_IN, Kind

OURS = [(kind, name) for kind in Kind for name in BUILT_IN[kind]]


@pytest.fixture(scope="module", autouse=True)
def _post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pigeon_post(tmp_path_factory.mktemp("post")):
        yield


@pytest.mark.parametrize(("kind", "name"), OURS)
def test_every_connector_of_ours_is_what_it_says(kind: Kind, name: str) -> None:
    made = registry.find(kind, name)
    assert made.name == name
    assert made.extra == BUILT_IN[kind][name].extra
    assert isinstance(made, SinkConnector if kind is Kind.SINK else SourceConnector)
    assert made.identity and made.boundary
    assert all("option" in field.metadata or field.name == "default_url" for field in fields(made.options))


@pytest.mark.parametrize(("kind", "name"), OURS)
def test_what_is_called_a_secret_is_one(kind: Kind, name: str) -> None:
    for option in options.fields(registry.find(kind, name).options):
        if re.search(r"password|secret|token|nkey", option.name) and not re.search(r"header|_file$", option.name):
            assert option.about.secret, option.name


@pytest.mark.parametrize(("kind", "name"), OURS)
def test_a_sink_has_one_template_at_most(kind: Kind, name: str) -> None:
    """It is that of the addresses; another one would never be filled in."""
    found = [option.name for option in options.fields(registry.find(kind, name).options) if option.about.template]
    assert len(found) <= (1 if kind is Kind.SINK else 0)


@pytest.mark.parametrize("kind", Kind)
def test_every_file_of_a_connector_is_registered(kind: Kind) -> None:
    found = {path.stem for path in (PACKAGE / "relay" / f"{kind}s").glob("[a-z]*.py")}
    assert found <= BUILT_IN[kind].keys()


def test_every_extra_exists() -> None:
    extras = {about.extra for kind in Kind for about in BUILT_IN[kind].values()} - {None}
    assert extras <= set(setup_cfg()["options.extras_require"])


@pytest.mark.parametrize("kind", Kind)
def test_an_alias_is_the_name_of_one_alone(kind: Kind) -> None:
    aliases = [alias for about in BUILT_IN[kind].values() for alias in about.aliases]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & BUILT_IN[kind].keys()
    for name, about in BUILT_IN[kind].items():
        assert {registry.canonical(kind, alias) for alias in (name, *about.aliases)} == {name}


def test_other_packages_add_theirs() -> None:
    assert registry.find(Kind.SINK, "pigeon").address == "loft"
    assert isinstance(registry.find(Kind.SOURCE, "pigeon"), SourceConnector)
    assert registry.names(Kind.SOURCE)[-1] == "pigeon"


def test_other_packages_do_not_replace_ours() -> None:
    assert registry.names(Kind.SINK).count("nats") == 1
    assert registry.canonical(Kind.SINK, "jetstream") == "nats"


def test_the_nearest_name_is_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry.find(Kind.SINK, "kafak")
    assert str(caught.value) == "'kafak': no such type of sink, did you mean 'kafka'?"
    with pytest.raises(ConfigurationError, match="no such type of source, there are file, kafka, mqtt"):
        registry.find(Kind.SOURCE, "zzzzz")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lame", "the sink 'lame' cannot be loaded from pigeon_post:NOTHING: AttributeError"),
        ("wrong", "the sink 'wrong' is no SinkConnector"),
    ],
)
def test_a_broken_package_is_named(name: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry.find(Kind.SINK, name)
    assert str(caught.value).startswith(said)


def test_a_client_library_that_is_not_installed_is_named() -> None:
    """In a process of its own that cannot import it."""
    program = (
        "import sys; sys.modules['nats'] = None\n"
        "from trickle.errors import ConfigurationError\n"
        "from trickle.relay import registry\n"
        "try:\n    registry.find(registry.Kind.SINK, 'nats')\n"
        "except ConfigurationError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "the sink 'nats' needs the package nats (hint: pip install 'trickle-pg[nats]')"
