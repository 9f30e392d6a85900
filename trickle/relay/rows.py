"""Messages as rows of a table: which part of a message goes into which column, and the statement for a batch. Pure.

Parts are event_id, event_type, key, payload, content_type, headers, address, created_at, outbox_id; headers.<name> is
one header.

A batch is one INSERT ... SELECT FROM unnest(arrays), with one array for each column. Everything travels as text and is
cast to the column's type in the server, but for a payload into bytea.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psycopg import sql

from trickle.errors import ConfigurationError
from trickle.relay.failures import Failure, FailureKind
from trickle.relay.headers import inbound
from trickle.relay.message import Outgoing
from trickle.sql import load

PARTS = ("event_id", "event_type", "key", "payload", "content_type", "headers", "address", "created_at", "outbox_id")
_ONE_HEADER = "headers."


class Field(NamedTuple):
    """One column that is filled."""

    part: str
    column: str
    type_name: str  # as PostgreSQL writes it

    @property
    def is_binary(self) -> bool:
        return self.part == "payload" and self.type_name == "bytea"


@dataclass(frozen=True, slots=True)
class Target:
    """A table, and what of it is filled."""

    schema: str
    table: str
    fields: tuple[Field, ...]

    @property
    def id_column(self) -> str:
        return next(field.column for field in self.fields if field.part == "event_id")


def check_parts(columns: Mapping[str, str], *, complete: bool) -> None:
    """Raises ConfigurationError for a mapping that no message could be put through."""
    unknown = [part for part in columns if part not in PARTS and not part.startswith(_ONE_HEADER)]
    if unknown:
        raise ConfigurationError(
            f"columns: a message has no {', '.join(unknown)}", hint=f"it has {', '.join(PARTS)} and headers.<name>"
        )
    missing = [part for part in ("event_id", "payload") if complete and part not in columns]
    if missing:
        raise ConfigurationError(
            f"columns: nothing is said of {' and '.join(missing)}",
            hint='for example {"event_id": "id", "payload": "body"}, from part of the message to column',
        )


def insert(target: Target) -> sql.Composed:
    """The statement; its parameters are those of `arrays`."""
    names = [sql.Identifier(f"c{number}") for number in range(len(target.fields))]
    return sql.SQL(load("queries/relay_insert")).format(
        table=sql.Identifier(target.schema, target.table),
        columns=sql.SQL(", ").join(sql.Identifier(field.column) for field in target.fields),
        values=sql.SQL(", ").join(
            sql.SQL("m.{}::{}").format(name, sql.SQL(field.type_name))
            for name, field in zip(names, target.fields, strict=True)
        ),
        arrays=sql.SQL(", ").join(
            sql.SQL("%s::bytea[]" if field.is_binary else "%s::text[]") for field in target.fields
        ),
        names=sql.SQL(", ").join(names),
        id=sql.Identifier(target.id_column),
    )


def arrays(target: Target, messages: Sequence[Outgoing]) -> list[list[bytes | str | None]]:
    """One array for each column."""
    return [[_value(field, message) for message in messages] for field in target.fields]


def fault_of(target: Target, message: Outgoing) -> Failure | None:
    """Why a message cannot even be sent to the server: PostgreSQL's text has no NUL, and UTF-8 is what we speak."""
    try:
        texts = [value for field in target.fields if isinstance(value := _value(field, message), str)]
    except UnicodeDecodeError as error:
        reason = f"the body is not UTF-8 (byte {error.start}), and the column is no bytea"
        return Failure(FailureKind.ENCODING, reason)
    if any("\0" in text for text in texts):
        return Failure(FailureKind.ENCODING, "there is a NUL character in it, which PostgreSQL's text cannot hold")
    return None


def _value(field: Field, message: Outgoing) -> bytes | str | None:
    match field.part:
        case "payload":
            return message.body if field.is_binary else message.body.decode()
        case "event_id":
            return message.event_id
        case "event_type":
            return inbound(message.headers).event_type if message.headers else None
        case "key":
            return message.key
        case "content_type":
            return message.content_type
        case "headers":
            return json.dumps(dict(message.headers), ensure_ascii=False)
        case "address":
            return message.address
        case "created_at":
            return message.created_at.isoformat()
        case "outbox_id":
            return str(message.outbox_id)
        case part:
            return message.headers.get(part.removeprefix(_ONE_HEADER))
