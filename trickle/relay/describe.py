"""docs/connectors.md, written from the options of pipelines, formats, sinks and sources."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any, cast

from trickle.relay import declare, pg_tide, registry
from trickle.relay.connector import AnyConnector, SinkConnector
from trickle.relay.formats import FORMATS
from trickle.relay.options import Field, fields
from trickle.relay.pipeline import ForwardEnds, ReverseEnds
from trickle.relay.reading import allowed_range, words
from trickle.relay.registry import BUILT_IN, Kind
from trickle.relay.settings import Delivery, Intake
from trickle.relay.writing import to_json

_HEAD = ("| Key | Default | Values | Meaning |", "| --- | --- | --- | --- |")


def markdown_page() -> str:
    """docs/connectors.md, whole. Imports every connector of Trickle, hence every client library."""
    return "\n".join(_page()) + "\n"


def option_table(options: type[Any]) -> Iterator[str]:
    """The options of one class, one line each."""
    yield from _HEAD
    yield from _rows(options, "")


def _page() -> Iterator[str]:
    yield "# Configuration keys of pipelines and connectors"
    yield ""
    yield "Generated from the options themselves; a test keeps it fresh."
    yield ""
    yield "- **References**: every text may hold `${env:NAME}` and `${file:/path}`, filled in when a connection is"
    yield "  opened. A *secret* must hold one, and so must the password in an address."
    yield "- **Templates** hold `{outbox}`, `{pipeline}`, `{outbox_id}`, `{event_id}`, `{event_type}`, `{key}`, `{op}`,"
    yield "  `{headers.NAME}`, `{payload.path}`; behind a `|` stands what is taken when there is no such value. A brace"
    yield "  that means itself is doubled."
    yield '- **Dots** lead into objects: `retry.max_attempts` is `{"retry": {"max_attempts": …}}`.'
    yield from (
        "",
        "## In a file",
        "",
        "YAML or TOML, read by `trickle relay apply FILE`; pipelines by their names.",
    )
    yield from ("", "```yaml", *_example(), "```")
    yield from _section("## From an outbox to a sink", ForwardEnds, Delivery)
    yield from _section("## From a source into an inbox", ReverseEnds, Intake)
    yield from ("", "## Formats", "", "`format` chooses one, `format_options` has these keys.")
    for name, made in FORMATS.items():
        yield from _section(f"### {name}", made.options)
    for kind in Kind:
        yield from ("", f"## {kind.capitalize()}s")
        for name in BUILT_IN[kind]:
            yield from _connector(kind, name, registry.find(kind, name))
    yield from ("", "## Configurations of pg_tide", "", "Version 1 is read wherever a pipeline is:", "")
    yield from _differences()


def _section(title: str, *classes: type[Any]) -> Iterator[str]:
    yield from ("", title, "")
    if not any(fields(each) for each in classes):
        yield "No options."
        return
    yield from _HEAD
    for each in classes:
        yield from _rows(each, "")


def _connector(kind: Kind, name: str, connector: AnyConnector) -> Iterator[str]:
    yield from ("", f"### {kind.capitalize()} {name}", "")
    about = BUILT_IN[kind][name]
    if about.aliases:
        yield f"- Also called {', '.join(f'`{alias}`' for alias in about.aliases)}."
    if about.extra:
        yield f"- Needs `pip install 'trickle-pg[{about.extra}]'`."
    if isinstance(connector, SinkConnector):
        yield f"- Address of a message: {connector.address}."
        yield f"- Delivered: {connector.boundary}."
        yield f"- Recognised again by: {connector.identity}."
    else:
        yield f"- Event id: {connector.identity}."
        yield f"- Acknowledged: {connector.boundary}."
    yield from ("", *option_table(connector.options))


def _rows(options: type[Any], prefix: str) -> Iterator[str]:
    for field in fields(options):
        name = f"{prefix}{field.name}"
        inner = _inner(field)
        if inner is None:
            meaning = field.about.help.replace("|", "\\|")
            yield f"| `{name}` | {_default(field)} | {_values(field)} | {meaning} |"
        else:
            yield from _rows(inner[1], f"{name}{inner[0]}.")


def _inner(field: Field) -> tuple[str, type[Any]] | None:
    """The options class behind a key, and what marks that there is a list of it."""
    kind = field.kinds[0]
    if dataclasses.is_dataclass(kind):
        return "", cast(type[Any], kind)
    if typing.get_origin(kind) is tuple and dataclasses.is_dataclass(typing.get_args(kind)[0]):
        return "[]", typing.get_args(kind)[0]
    return None


def _default(field: Field) -> str:
    if field.is_required:
        return "must be given"
    if field.default in (None, "", (), {}):
        return "–"
    value = to_json(field.default) if dataclasses.is_dataclass(field.default) else field.default
    shown = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return f"`{shown}`"


def _values(field: Field) -> str:
    about = field.about
    if about.choices:
        return ", ".join(f"`{choice}`" for choice in about.choices)
    kinds = " or ".join(words(kind) for kind in field.kinds)
    bounds = allowed_range(about)
    if bounds:
        return bounds
    special = {
        "secret": about.secret,
        "template": about.template,
        "JMESPath": about.expression,
        "regular expression": about.pattern,
    }
    marks = [mark for mark, is_set in special.items() if is_set]
    return ", ".join([kinds, *marks]) + (f", {about.unit}" if about.unit else "")


def _example() -> Iterator[str]:
    """The file in the essay of the module that reads it."""
    lines = (declare.__doc__ or "").splitlines()
    return (line.removeprefix("    ") for line in lines if line.startswith("    "))


def _differences() -> Iterator[str]:
    """The table of the module that reads them."""
    return (line for line in (pg_tide.__doc__ or "").splitlines() if line.startswith("|"))
