"""debezium: a change event for each row, in the envelope of Debezium without a schema.

    {"before":{…},"after":{…},"source":{…,"table":"orders"},"ts_ms":1769860800000,"op":"u"}

A message of a stream table tells rows that came and rows that went. With `key_columns` those of one key that came and
went are an update, and the key of the event is an object of these columns; rows that only went come before those
that only came. Without, all are deletes and creates. When a message tells all rows anew (`reset`), they are reads
(`op` = "r"), and with `emit_truncates` a truncate ("t") stands before them.

Any other JSON is one event: created, or what the header `op` says of insert, update and delete. Rows are passed on as
they are written.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, NamedTuple

from trickle.relay.formats.format import JSON, Encode, Format, quoted
from trickle.relay.formats.json_slices import elements, members
from trickle.relay.message import Message, Outgoing
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


class Row(NamedTuple):
    """A row as it is written, and its key; None when no columns make one."""

    text: str
    key: str | None


class Change(NamedTuple):
    """What happened to one row; "null" for no row."""

    code: str
    key: str | None
    before: str = "null"
    after: str = "null"


class Told(NamedTuple):
    """What the message of a stream table tells."""

    deleted: Sequence[Row]
    inserted: Sequence[Row]
    is_reset: bool


def encoder(options: DebeziumOptions, around: Surroundings) -> Encode:
    source_head = (
        f'{{"version":"1","connector":"trickle","name":{quoted(options.server_name)},"table":{quoted(around.outbox)},'
    )

    def encode(view: View, message: Message, address: str) -> Sequence[Outgoing]:
        payload = _text(message)
        at = int(message.created_at.timestamp() * 1000)
        tail = f',"source":{source_head}"event_id":{quoted(message.event_id)},"ts_ms":{at}}},"ts_ms":{at},"op":"'
        told = _told(payload, options.key_columns)
        if told is None:
            changes: Iterable[Change] = (_of_application(message, payload),)
            ids: Iterator[str] = chain((message.event_id,), _numbered(message.event_id, 2))
        else:
            changes = _of_rows(told, options)
            ids = _numbered(message.event_id, 1)
        return [
            Outgoing(
                next(ids), key, address, body, content_type, message.headers, message.created_at, message.outbox_id
            )
            for key, body, content_type in _events(changes, tail, options.emit_tombstones)
        ]

    return encode


def _text(message: Message) -> str:
    text = json_text(message)
    if text is None:
        raise Unusable(f"only JSON can be a debezium event, not {message.content_type}")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise Unusable("the payload cannot be read as JSON: it is not UTF-8") from error


def _told(payload: str, columns: Sequence[str]) -> Told | None:
    """The rows, when the payload has the shape of a stream table's message."""
    if '"inserted"' not in payload or not payload.lstrip().startswith("{"):
        return None
    parts = dict(members(payload))
    inserted, deleted = parts.get("inserted", ""), parts.get("deleted", "")
    if parts.get("v") != "1" or not inserted.startswith("[") or not deleted.startswith("["):
        return None
    return Told(_rows(deleted, columns), _rows(inserted, columns), parts.get("reset") == "true")


def _rows(written: str, columns: Sequence[str]) -> Sequence[Row]:
    return [Row(text, _key(text, value, columns) if columns else None) for text, value in elements(written)]


def _key(text: str, row: Any, columns: Sequence[str]) -> str:
    """The key of a row as a JSON object. What reading could have changed is taken as it is written."""
    missing = [column for column in columns if not isinstance(row, dict) or column not in row]
    if missing:
        raise Unusable(f"a row has no column {', '.join(missing)} of key_columns")
    if any(isinstance(row[column], float | list | dict) for column in columns):
        written = dict(members(text))
    else:
        written = {column: json.dumps(row[column]) for column in columns}
    return "{" + ",".join(f"{quoted(column)}:{written[column]}" for column in columns) + "}"


def _of_rows(told: Told, options: DebeziumOptions) -> Iterator[Change]:
    if told.is_reset:
        if options.emit_truncates:
            yield Change("t", None)
        for row in told.inserted:
            yield Change("r", row.key, after=row.text)
        return
    came: dict[str | None, deque[Row]] = defaultdict(deque)
    for row in told.inserted:
        came[row.key].append(row)
    changed: list[Change] = []
    for row in told.deleted:
        if row.key is not None and came.get(row.key):
            changed.append(Change("u", row.key, row.text, came[row.key].popleft().text))
        else:
            yield Change("d", row.key, before=row.text)
    yield from changed
    for rows in came.values():
        for row in rows:
            yield Change("c", row.key, after=row.text)


def _of_application(message: Message, payload: str) -> Change:
    code = _CODES.get(operation(message), "c")
    if code == "d":
        return Change(code, message.key, before=payload)
    return Change(code, message.key, after=payload)


def _events(changes: Iterable[Change], tail: str, with_tombstones: bool) -> Iterator[tuple[str | None, bytes, str]]:
    """Key, body and content type of each event."""
    for code, key, before, after in changes:
        yield key, f'{{"before":{before},"after":{after}{tail}{code}"}}'.encode(), JSON
        if code == "d" and with_tombstones and key is not None:
            yield key, b"", ""


def _numbered(event_id: str, first: int) -> Iterator[str]:
    return (f"{event_id}.{number}" for number in count(first))


FORMAT = Format("debezium", DebeziumOptions, encoder)
