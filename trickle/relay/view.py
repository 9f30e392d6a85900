"""A message as templates, rules and expressions see it: as it was published, its payload parsed when they ask for it.

Whatever they ask for and do not find, and a payload that cannot be read, is `Unusable`: the message's own fault, which
makes it a dead letter and lets the others pass.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from trickle.relay.failures import Failure, FailureKind
from trickle.relay.message import Incoming, Message


class Unusable(Exception):
    """This message cannot be brought into what its pipeline wants; the reason has no payload in it."""

    @property
    def failure(self) -> Failure:
        return Failure(FailureKind.ENCODING, str(self))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all messages of a pipeline have in common."""

    pipeline: str
    outbox: str
    connector: str  # the kind of destination, without aliases


class View:
    """One message."""

    __slots__ = ("_document", "around", "message")

    def __init__(self, message: Message, around: Surroundings) -> None:
        self.message = message
        self.around = around
        self._document: Any = _UNREAD

    @property
    def document(self) -> Any:
        """The payload, parsed. Raises Unusable."""
        if self._document is _UNREAD:
            self._document = document_of(self.message)
        return self._document


_UNREAD = object()


def document_of(message: Message | Incoming) -> Any:
    """The payload, parsed. Raises Unusable."""
    if not is_json(message.content_type):
        raise Unusable(f"the payload is not JSON but {message.content_type or 'of no content type'}")
    return parsed(message.payload)


def operation(message: Message) -> str:
    """What happened: insert, update, delete, none. The header `op` counts most, then the rows that came and went."""
    named = message.headers.get("op") if message.headers else None
    if named:
        return named
    if message.inserted_count:
        return "update" if message.deleted_count else "insert"
    return "delete" if message.deleted_count else "none"


def event_type(message: Message) -> str | None:
    """The header `event_type`, or `type`."""
    return message.headers.get("event_type") or message.headers.get("type") if message.headers else None


@lru_cache(maxsize=256)
def is_json(content_type: str) -> bool:
    """`application/json`, and whatever ends in `+json`, in any case and with any parameters."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def json_text(message: Message) -> bytes | None:
    """The payload when it is JSON, else None. What the server has not checked is parsed. Raises Unusable."""
    if message.is_jsonb:
        return message.payload
    if not is_json(message.content_type):
        return None
    parsed(message.payload)
    return message.payload


def parsed(payload: bytes) -> Any:
    """JSON in UTF-8, strictly. Raises Unusable."""
    try:
        return json.loads(payload.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"the payload cannot be read as JSON: {_reason(error)}") from error


def written(value: Any) -> bytes:
    """A value as compact JSON in UTF-8. Raises Unusable."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        raise Unusable(f"the result cannot be written as JSON: {_reason(error)}") from error


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _reason(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"{error.msg} at character {error.pos}"
        case UnicodeError():
            return "it is not UTF-8"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return "it has a number or value that JSON does not have, or that is too long"
