"""debezium: a change event for each row, in the envelope of Debezium without a schema.

    {"before":{…},"after":{…},"source":{…,"table":"orders"},"op":"u","ts_ms":1769860800000}

A message of a stream table tells rows that came and rows that went. With `key_columns` those of one key that came and
went are an update, and the key of the event is an object of these columns; rows that only went come before those
that only came. Without, all are deletes and creates. When a message tells all rows anew (`reset`), they are reads
(`op` = "r"), and with `emit_truncates` a truncate ("t") stands before them.

Any other JSON is one event: created, or what the header `op` says of insert, update and delete. Rows are passed on as
they are written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trickle.relay.formats.format import JSON, Encode, Encoded, Format, quoted
from trickle.relay.formats.json_slices import elements, members
from trickle.relay.message import Message
from trickle.relay.options import option
from trickle.relay.view import Surroundings, Unusable, View, json_text, operation

_CODES = {"insert": "c", "update": "u", "delete": "d", "read": "r"}


@dataclass(frozen=True, slots=True)
class DebeziumOptions:
    """What the events say."""

    server_name: str = option("Name of the origin, in the `source` of each event.", default="trickle")
    key_columns: tuple[str, ...] = option(
        "Columns that tell rows of a stream table apart: rows of one key that came and went become updates.", default=()
    )
    emit_tombstones: bool = option(
        "Whether a delete is followed by an event with the same key and an empty body, for compacted topics.",
        default=False,
    )
    emit_truncates: bool = option(
        "Whether a truncate comes before rows that are told anew. Needs ordering = all: nothing may overtake it.",
        default=False,
    )


class Change(NamedTuple):
    """What happened to one row; rows as they are written, "null" for none."""

    code: str
    key: str | None
    before: str = "null"
    after: str = "null"


def encoder(options: DebeziumOptions, around: Surroundings) -> Encode:
    source_head = (
        f'{{"version":"1","connector":"trickle","name":{quoted(options.server_name)},"table":{quoted(around.outbox)},'
    )

    def encode(view: View, message: Message, address: str) -> Sequence[Encoded]:
        text = json_text(message)
        if text is None:
            raise Unusable(f"only JSON can be a debezium event, not {message.content_type}")
        at = int(message.created_at.timestamp() * 1000)
        source = f'{source_head}"event_id":{quoted(message.event_id)},"ts_ms":{at}}}'
        payload = _decoded(text)
        told = _told(payload)
        if told is None:
            return tuple(_events([_of_application(message, payload)], message, source, at, options, is_single=True))
        return tuple(_events(_of_rows(told, options), message, source, at, options, is_single=False))

    return encode


class Told(NamedTuple):
    """The rows of a message of a stream table, as they are written."""

    deleted: Sequence[str]
    inserted: Sequence[str]
    is_reset: bool


def _told(payload: str) -> Told | None:
    """The rows, when the payload has the shape of a stream table's message."""
    if not payload.lstrip().startswith("{"):
        return None
    parts = dict(members(payload))
    inserted, deleted = parts.get("inserted", ""), parts.get("deleted", "")
    if parts.get("v") != "1" or not inserted.startswith("[") or not deleted.startswith("["):
        return None
    return Told(tuple(elements(deleted)), tuple(elements(inserted)), parts.get("reset") == "true")


def _of_rows(told: Told, options: DebeziumOptions) -> Iterator[Change]:
    if told.is_reset:
        if options.emit_truncates:
            yield Change("t", None)
        for row in told.inserted:
            yield Change("r", _key(row, options.key_columns), after=row)
        return
    came: dict[str | None, list[str]] = defaultdict(list)
    for row in told.inserted:
        came[_key(row, options.key_columns)].append(row)
    changed: list[Change] = []
    for row in told.deleted:
        key = _key(row, options.key_columns)
        if key is not None and came.get(key):
            changed.append(Change("u", key, row, came[key].pop(0)))
        else:
            yield Change("d", key, before=row)
    yield from changed
    for key, rows in came.items():
        for row in rows:
            yield Change("c", key, after=row)


def _of_application(message: Message, payload: str) -> Change:
    code = _CODES.get(operation(message), "c")
    if code == "d":
        return Change(code, message.key, before=payload)
    return Change(code, message.key, after=payload)


def _key(row: str, columns: Sequence[str]) -> str | None:
    """The key of a row as a JSON object; None when no columns make one."""
    if not columns:
        return None
    values = dict(members(row))
    missing = [column for column in columns if column not in values]
    if missing:
        raise Unusable(f"a row has no column {', '.join(missing)} of key_columns")
    return "{" + ",".join(f"{quoted(column)}:{values[column]}" for column in columns) + "}"


def _events(
    changes: Sequence[Change] | Iterator[Change],
    message: Message,
    source: str,
    at: int,
    options: DebeziumOptions,
    *,
    is_single: bool,
) -> Iterator[Encoded]:
    number = 0
    for code, key, before, after in changes:
        number += 1
        event_id = message.event_id if is_single else f"{message.event_id}.{number}"
        body = f'{{"before":{before},"after":{after},"source":{source},"op":"{code}","ts_ms":{at}}}'
        yield Encoded(event_id, key, body.encode(), JSON, message.headers)
        if code == "d" and options.emit_tombstones and key is not None:
            number += 1
            yield Encoded(f"{message.event_id}.{number}", key, b"", "", message.headers)


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise Unusable("the payload cannot be read as JSON: it is not UTF-8") from error


FORMAT = Format("debezium", DebeziumOptions, encoder)
