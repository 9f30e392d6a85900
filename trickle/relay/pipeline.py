"""A pipeline as it is configured: what the catalog stores, what a file declares, and what the relay runs.

A document, which is what files hold and `to_document` writes, has the options beside the ends:

    {"outbox": "orders", "sink": {"type": "nats", "url": "nats://localhost", "subject": "orders.{op}"},
     "batch_size": 200, "transform": {"filter": "total > `100`"}}
    {"inbox": "mail", "source": {"type": "kafka", "brokers": "localhost:9092", "topic": "mail", "group_id": "m"}}

The catalog has a row for each with the connector and the options apart. Configurations of pg_tide, version 1, are
read wherever a document is (`pg_tide`). What is read has its references to secrets still in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from trickle.errors import ConfigurationError
from trickle.relay import pg_tide, registry, secrets
from trickle.relay.formats import FORMATS
from trickle.relay.options import fields, option
from trickle.relay.problems import Misconfigured, Path, Problem, shown
from trickle.relay.reading import examine
from trickle.relay.registry import Kind
from trickle.relay.secrets import ReadFile, Resolved, read_secret_file
from trickle.relay.settings import Delivery, Intake
from trickle.relay.writing import to_json


class Direction(StrEnum):
    """Which way messages go."""

    FORWARD = "forward"  # out of an outbox, to a sink
    REVERSE = "reverse"  # from a source into an inbox


@dataclass(frozen=True, slots=True)
class Connection:
    """One end of a pipeline: a kind of sink or source, and its options."""

    type: str  # without aliases
    options: Any


@dataclass(frozen=True, slots=True)
class ForwardPipeline:
    """From an outbox to a sink."""

    name: str
    outbox: str
    group: str  # the consumer group that holds its position
    enabled: bool
    sink: Connection
    delivery: Delivery
    format_options: Any  # of the format's own class

    direction = Direction.FORWARD


@dataclass(frozen=True, slots=True)
class ReversePipeline:
    """From a source into an inbox."""

    name: str
    inbox: str
    enabled: bool
    source: Connection
    intake: Intake

    direction = Direction.REVERSE


Pipeline = ForwardPipeline | ReversePipeline
AnyPipeline = TypeVar("AnyPipeline", ForwardPipeline, ReversePipeline)
Ends = TypeVar("Ends")
Options = TypeVar("Options")


class StoredPipeline(NamedTuple):
    """A pipeline as the catalog has it."""

    name: str
    direction: str
    box: str  # the outbox or the inbox
    group: str | None
    enabled: bool
    connector: Mapping[str, Any]  # with its `type`
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ForwardEnds:
    """The keys of a forward pipeline's document that are not options of its delivery."""

    outbox: str = option("Outbox that is read.")
    sink: dict[str, Any] = option("Where messages go: `type` and the options of that type.")
    group: str = option("Consumer group that holds the position; empty means the pipeline's name.", default="")
    enabled: bool = option("Whether it runs.", default=True)


@dataclass(frozen=True, slots=True)
class ReverseEnds:
    """The keys of a reverse pipeline's document that are not options of its intake."""

    inbox: str = option("Inbox that is filled.")
    source: dict[str, Any] = option("Where messages come from: `type` and the options of that type.")
    enabled: bool = option("Whether it runs.", default=True)


def where(name: str) -> str:
    """How errors name a pipeline."""
    return f"pipeline {name!r}"


def read_pipeline(stored: StoredPipeline) -> Pipeline:
    """A pipeline of the catalog.

    Raises:
        Misconfigured: everything that is wrong with it.
    """
    ends: dict[str, Any] = {"enabled": stored.enabled}
    if stored.direction == Direction.FORWARD:
        ends |= {"outbox": stored.box, "group": stored.group or "", "sink": stored.connector}
    else:
        ends |= {"inbox": stored.box, "source": stored.connector}
    return read_document(stored.name, {**stored.options, **ends})


def read_document(name: str, document: object) -> Pipeline:
    """A pipeline as a file declares it.

    Raises:
        Misconfigured: everything that is wrong with it.
    """
    problems: list[Problem] = []
    made = examine_document(name, document, (), problems)
    if problems or made is None:
        raise Misconfigured(where(name), problems)
    return made


def examine_document(name: str, document: object, path: Path, problems: list[Problem]) -> Pipeline | None:
    """The same, adding to `problems`; None when there are any."""
    if not isinstance(document, Mapping):
        problems.append(Problem(path, f"{shown(document)} is not an object of keys and values"))
        return None
    if pg_tide.is_version_1(document):
        document = pg_tide.translated(document, path, problems)
    if not name:
        problems.append(Problem(path, "a pipeline needs a name"))
    direction = _direction(document)
    if direction is None:
        problems.append(Problem(path, "a pipeline has an outbox and a sink, or a source and an inbox"))
        return None
    found: list[Problem] = []
    read = _forward if direction is Direction.FORWARD else _reverse
    made = read(name, document, path, found)
    problems.extend(_in_order(found, list(document), len(path)))
    return made


def resolve(
    pipeline: AnyPipeline, environment: Mapping[str, str], read_file: ReadFile = read_secret_file
) -> Resolved[AnyPipeline]:
    """The pipeline with its secrets filled in, as its connector gets it.

    Raises:
        Misconfigured: each variable and file that is missing or empty, by the key that names it.
    """
    try:
        return secrets.resolve(pipeline, environment, read_file, where(pipeline.name))
    except Misconfigured as error:
        told = [Problem(_as_written(problem.path), problem.text) for problem in error.problems]
        raise Misconfigured(where(pipeline.name), told) from None


def to_document(pipeline: Pipeline, *, with_defaults: bool = False) -> dict[str, Any]:
    """What a file would say; `read_document` makes the same pipeline of it."""
    stored = to_stored(pipeline, with_defaults=with_defaults)
    ends: dict[str, Any]
    if isinstance(pipeline, ForwardPipeline):
        ends = {"outbox": stored.box, "sink": dict(stored.connector)}
        if with_defaults or stored.group != stored.name:
            ends["group"] = stored.group
    else:
        ends = {"inbox": stored.box, "source": dict(stored.connector)}
    if with_defaults or not stored.enabled:
        ends["enabled"] = stored.enabled
    return {**ends, **stored.options}


def to_stored(pipeline: Pipeline, *, with_defaults: bool = False) -> StoredPipeline:
    """What the catalog would hold; `read_pipeline` makes the same pipeline of it."""
    if isinstance(pipeline, ReversePipeline):
        connector = _connector(pipeline.source, with_defaults)
        options = to_json(pipeline.intake, with_defaults=with_defaults)
        return StoredPipeline(
            pipeline.name, pipeline.direction, pipeline.inbox, None, pipeline.enabled, connector, options
        )
    connector = _connector(pipeline.sink, with_defaults)
    options = to_json(pipeline.delivery, with_defaults=with_defaults)
    if with_defaults:
        options["format_options"] = to_json(pipeline.format_options, with_defaults=True)
    return StoredPipeline(
        pipeline.name, pipeline.direction, pipeline.outbox, pipeline.group, pipeline.enabled, connector, options
    )


def _as_written(path: Path) -> Path:
    """Keys of a document for the fields of a pipeline."""
    if path[0] in ("delivery", "intake"):
        return path[1:]
    return (path[0], *path[2:]) if path[0] in ("sink", "source") else path


def _connector(connection: Connection, with_defaults: bool) -> dict[str, Any]:
    return {"type": connection.type, **to_json(connection.options, with_defaults=with_defaults)}


def _direction(document: Mapping[str, Any]) -> Direction | None:
    forward = {"outbox", "sink"} & document.keys()
    reverse = {"inbox", "source"} & document.keys()
    if bool(forward) == bool(reverse):
        return None
    return Direction.FORWARD if forward else Direction.REVERSE


def _in_order(problems: list[Problem], keys: list[str], depth: int) -> list[Problem]:
    """As they stand in the document; what is missing in it comes last."""
    order = {key: number for number, key in enumerate(keys)}
    return sorted(
        problems,
        key=lambda problem: min(
            (order.get(str(key), len(order)) for key in problem.path[depth : depth + 1]), default=0
        ),
    )


def _forward(name: str, document: Mapping[str, Any], path: Path, problems: list[Problem]) -> ForwardPipeline | None:
    ends, delivery = _halves(ForwardEnds, Delivery, document, path, problems)
    sink = _connection(Kind.SINK, document.get("sink"), path, problems)
    format_options = _format_options(document, path, problems)
    if ends is None or delivery is None or sink is None or format_options is None:
        return None
    if getattr(format_options, "emit_truncates", False) and delivery.ordering != "all":
        problems.append(Problem((*path, "format_options", "emit_truncates"), "needs ordering = all"))
        return None
    # Without what is as it would be anyway, so that pipelines that do the same are equal.
    delivery = dataclasses.replace(delivery, format_options=to_json(format_options))
    return ForwardPipeline(name, ends.outbox, ends.group or name, ends.enabled, sink, delivery, format_options)


def _reverse(name: str, document: Mapping[str, Any], path: Path, problems: list[Problem]) -> ReversePipeline | None:
    ends, intake = _halves(ReverseEnds, Intake, document, path, problems)
    source = _connection(Kind.SOURCE, document.get("source"), path, problems)
    if ends is None or intake is None or source is None:
        return None
    return ReversePipeline(name, ends.inbox, ends.enabled, source, intake)


def _halves(
    ends: type[Ends], options: type[Options], document: Mapping[str, Any], path: Path, problems: list[Problem]
) -> tuple[Ends | None, Options | None]:
    """The keys of one class and those of the other, out of one object."""
    names = [field.name for field in fields(ends)]
    first = {key: value for key, value in document.items() if key in names}
    rest = {key: value for key, value in document.items() if key not in names}
    return examine(ends, first, path, problems), examine(options, rest, path, problems, names)


def _connection(kind: Kind, given: Any, path: Path, problems: list[Problem]) -> Connection | None:
    """The connector that is named, with its options; what is no object has been told already."""
    here = (*path, str(kind))
    if not isinstance(given, Mapping):
        return None
    type_ = given.get("type")
    if not isinstance(type_, str) or not type_:
        problems.append(Problem((*here, "type"), f"is missing: one of {', '.join(registry.names(kind))}"))
        return None
    try:
        connector = registry.find(kind, type_)
    except ConfigurationError as error:
        problems.append(Problem((*here, "type"), str(error)))
        return None
    rest = {key: value for key, value in given.items() if key != "type"}
    options = examine(connector.options, rest, here, problems, ("type",))
    return None if options is None else Connection(connector.name, options)


def _format_options(document: Mapping[str, Any], path: Path, problems: list[Problem]) -> Any:
    """Of the format that is named; a format that there is not has been told already."""
    name = document.get("format", _DEFAULT_FORMAT)
    given = document.get("format_options", {})
    if not isinstance(name, str) or name not in FORMATS or not isinstance(given, Mapping):
        return None
    return examine(FORMATS[name].options, given, (*path, "format_options"), problems)


_DEFAULT_FORMAT = next(field.default for field in fields(Delivery) if field.name == "format")
