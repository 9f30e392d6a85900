"""Which connectors there are: those that come with Trickle, and those of other packages.

A connector of Trickle is imported when it is asked for, with its client library. Another package names its own in the
entry points `trickle.sinks` and `trickle.sources`:

    [options.entry_points]
    trickle.sinks =
        pigeon = pigeon_post.trickle:CONNECTOR

What comes with Trickle cannot be replaced that way.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import metadata
from typing import Any, Literal, overload

from trickle.errors import ConfigurationError
from trickle.relay.connector import AnyConnector, SinkConnector, SourceConnector
from trickle.relay.options import fields
from trickle.relay.problems import unknown


class Kind(StrEnum):
    """Which end of a pipeline."""

    SINK = "sink"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A connector that comes with Trickle."""

    extra: str | None = None  # of the package; it brings the client library
    aliases: tuple[str, ...] = field(default=())


BUILT_IN: Mapping[Kind, Mapping[str, BuiltIn]] = {
    Kind.SINK: {
        "nats": BuiltIn("nats", ("jetstream",)),
        "kafka": BuiltIn("kafka", ("redpanda",)),
        "redis": BuiltIn("redis", ("redis_streams", "valkey")),
        "rabbitmq": BuiltIn("rabbitmq", ("amqp",)),
        "webhook": BuiltIn("http", ("http", "https")),
        "postgres": BuiltIn(None, ("inbox", "pg_inbox", "pg_outbox", "postgresql")),
        "mqtt": BuiltIn("mqtt"),
        "s3": BuiltIn("s3", ("object_storage",)),
        "stdout": BuiltIn(),
        "file": BuiltIn(),
    },
    Kind.SOURCE: {
        "nats": BuiltIn("nats", ("jetstream",)),
        "kafka": BuiltIn("kafka", ("redpanda",)),
        "redis": BuiltIn("redis", ("redis_streams", "valkey")),
        "rabbitmq": BuiltIn("rabbitmq", ("amqp",)),
        "webhook": BuiltIn("http", ("http", "https")),
        "postgres": BuiltIn(None, ("outbox", "pg_outbox", "postgresql")),
        "mqtt": BuiltIn("mqtt"),
        "stdin": BuiltIn(),
        "file": BuiltIn(),
    },
}

_ENTRY_POINTS = {Kind.SINK: "trickle.sinks", Kind.SOURCE: "trickle.sources"}
_CLASSES = {Kind.SINK: SinkConnector, Kind.SOURCE: SourceConnector}


def canonical(kind: Kind, name: str) -> str:
    """The name without aliases; what is unknown stays."""
    for known, about in BUILT_IN[kind].items():
        if name == known or name in about.aliases:
            return known
    return name


@overload
def find(kind: Literal[Kind.SINK], name: str) -> SinkConnector[Any]: ...
@overload
def find(kind: Literal[Kind.SOURCE], name: str) -> SourceConnector[Any]: ...
@overload
def find(kind: Kind, name: str) -> AnyConnector: ...
def find(kind: Kind, name: str) -> AnyConnector:
    """The connector of that name or alias.

    Raises:
        ConfigurationError: there is none, its client library is not installed, or its package is broken.
    """
    known = canonical(kind, name)
    if known in BUILT_IN[kind]:
        return _built_in(kind, known)
    points = _points(kind)
    if name not in points:
        raise ConfigurationError(f"{name!r}: {unknown(name, names(kind), f'type of {kind}')}")
    return _foreign(kind, name, points[name])


def names(kind: Kind) -> tuple[str, ...]:
    """All types, those of Trickle first; without aliases."""
    return (*BUILT_IN[kind], *sorted(_points(kind).keys() - BUILT_IN[kind].keys()))


def module_of(kind: Kind, name: str) -> str:
    """Where a connector of Trickle lives."""
    return f"trickle.relay.{kind}s.{name}"


def address_of(options: Any) -> str:
    """The template of addresses in the options of a sink: the one text among them that is filled in for each message.

    An address that is the same for all messages is one too; "" where a sink has none, or finds it by itself.
    """
    for each in fields(type(options)):
        if each.about.template and isinstance(getattr(options, each.name), str):
            return str(getattr(options, each.name))
    return ""


def _built_in(kind: Kind, name: str) -> AnyConnector:
    module = module_of(kind, name)
    try:
        made = importlib.import_module(module).CONNECTOR
    except ImportError as error:
        missing = (error.name or "").split(".")[0]
        if missing == "trickle":
            raise
        raise _without_library(kind, name, missing, error) from error
    return _checked(kind, name, made)


def _without_library(kind: Kind, name: str, missing: str, error: ImportError) -> ConfigurationError:
    extra = BUILT_IN[kind][name].extra
    hint = f"pip install 'trickle-pg[{extra}]'" if extra else f"pip install {missing}"
    if isinstance(error, ModuleNotFoundError):
        return ConfigurationError(f"the {kind} {name!r} needs the package {missing}", hint=hint)
    return ConfigurationError(f"the {kind} {name!r} cannot be loaded: {error}", hint=hint)


def _points(kind: Kind) -> Mapping[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=_ENTRY_POINTS[kind])}


def _foreign(kind: Kind, name: str, point: metadata.EntryPoint) -> AnyConnector:
    try:
        made = point.load()
    # Another package's import may fail in any way, and must not end the relay.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"the {kind} {name!r} cannot be loaded from {point.value}: {reason}") from error
    return _checked(kind, name, getattr(made, "CONNECTOR", made))


def _checked(kind: Kind, name: str, made: Any) -> AnyConnector:
    wanted = _CLASSES[kind]
    if not isinstance(made, SinkConnector | SourceConnector) or not isinstance(made, wanted):
        raise ConfigurationError(f"the {kind} {name!r} is no {wanted.__name__}")
    return made
