"""Texts with placeholders that are filled in for each message: subjects, topics, paths, headers.

    orders.{op}.{payload.region|elsewhere}

{outbox} {pipeline} {outbox_id} {event_id} {event_type} {key} {op}, a header {headers.NAME}, a value of a JSON payload
{payload.path.to.it}, where numbers count the items of a list from 0. Behind a | stands what is taken when there is no
such value; without it the message is a dead letter. Braces that mean themselves are doubled.

A filled-in text is not escaped: what a destination cannot take as an address it refuses itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from trickle.errors import ConfigurationError
from trickle.relay.message import Message
from trickle.relay.problems import unknown
from trickle.relay.view import Unusable, View, event_type, operation

Scalar = str | int | float | bool

_SIMPLE: dict[str, Callable[[Message], str | int | None]] = {
    "event_id": lambda message: message.event_id,
    "event_type": event_type,
    "key": lambda message: message.key,
    "op": operation,
    "outbox_id": lambda message: message.outbox_id,
}
_OF_THE_PIPELINE = ("outbox", "pipeline")
_WITH_PATH = ("headers", "payload")
NAMES = (*_SIMPLE, *_OF_THE_PIPELINE, *_WITH_PATH)

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: in the message, or below one of its parts."""

    name: str
    path: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return ".".join((self.name, *self.path))


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One {…} of a template."""

    place: Place
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template, parsed; texts and placeholders take turns in any order."""

    source: str
    pieces: tuple[str | Placeholder, ...]

    @property
    def constant(self) -> str | None:
        """Its text, when it is the same for every message."""
        texts = [piece for piece in self.pieces if isinstance(piece, str)]
        return "".join(texts) if len(texts) == len(self.pieces) else None

    def render(self, view: View) -> str:
        """Its text for one message. Raises Unusable."""
        return "".join([piece if isinstance(piece, str) else _filled(piece, view, self) for piece in self.pieces])


@lru_cache(maxsize=1024)
def parse(source: str) -> Template:
    """Raises ConfigurationError."""
    return Template(source, tuple(_pieces(source)))


def wrong(source: str) -> str | None:
    """What is wrong with a template."""
    try:
        parse(source)
    except ConfigurationError as error:
        return str(error)
    return None


def place(text: str) -> Place:
    """`payload.region` → where it stands. Raises ConfigurationError."""
    name, *path = text.split(".")
    if name not in NAMES:
        raise ConfigurationError(f"{{{text}}}: {unknown(name, NAMES, 'placeholder')}")
    if name == "headers" and path:
        path = [".".join(path)]
    if name in _WITH_PATH and not all(path or [""]):
        raise ConfigurationError(f"{{{text}}}: say which, as in {{{name}.region}}")
    if name not in _WITH_PATH and path:
        raise ConfigurationError(f"{{{text}}}: {name} has no parts, write {{{name}}}")
    return Place(name, tuple(path))


def value_at(where: Place, view: View) -> Any:
    """What stands there; None when nothing does. Raises Unusable when the payload cannot be read."""
    simple = _SIMPLE.get(where.name)
    if simple is not None:
        return simple(view.message)
    if where.name == "headers":
        return view.message.headers.get(where.path[0])
    if where.name == "payload":
        return _descend(view.document, where.path)
    return view.around.outbox if where.name == "outbox" else view.around.pipeline


def text_of(value: Any) -> str | None:
    """A single value as text, the way JSON writes it; None for none, and for what has parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else None


def _pieces(source: str) -> Iterator[str | Placeholder]:
    literal = ""
    for found in _PIECE.finditer(source):
        piece = found[0]
        if piece in ("{{", "}}"):
            literal += piece[0]
        elif piece in ("{", "}"):
            raise ConfigurationError(
                f"{piece} stands alone at character {found.start() + 1}, double it if it means itself"
            )
        elif found[1] is None:
            literal += piece
        else:
            if literal:
                yield literal
            literal = ""
            yield _placeholder(found[1])
    if literal:
        yield literal


def _placeholder(inside: str) -> Placeholder:
    name, bar, default = inside.partition("|")
    return Placeholder(place(name.strip()), default if bar else None)


def _filled(placeholder: Placeholder, view: View, template: Template) -> str:
    value = value_at(placeholder.place, view)
    text = text_of(value)
    if placeholder.default is not None and (value is None or text == ""):
        return placeholder.default
    if text is not None:
        return text
    lacks = "has no single value there" if isinstance(value, list | dict) else "does not have"
    raise Unusable(f"{template.source!r} needs {{{placeholder.place.text}}}, which the message {lacks}")


def _descend(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
