"""Looking at a pipeline from outside, and sending a range of it again: nothing here moves its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from trickle.db.pool import AsyncPool, make_pool
from trickle.errors import ConfigurationError
from trickle.relay.assemble import Plain, plain
from trickle.relay.connector import Sink
from trickle.relay.failures import Failure
from trickle.relay.message import Message, Outgoing
from trickle.relay.outbox import Outbox
from trickle.relay.pipeline import ForwardPipeline
from trickle.relay.protocol import PipelineRow
from trickle.relay.view import is_json

Refusal = tuple[str, str]  # event id and reason

_BATCH = 500
_BATCH_BYTES = 16 << 20
_LOOK_SECONDS = 0.2
_OPEN_SECONDS = 30.0
_TEXT_CHARACTERS = 10_000


async def watch(
    url: str, row: PipelineRow, show: Callable[[dict[str, Any]], None], after_id: int | None, count: int | None
) -> None:
    """Show messages as the pipeline would send them: after an id, or from now on. Ends after `count`."""
    made = _forward(plain(row, url))
    async with _reader(url, row) as outbox:
        await outbox.look_from(after_id)
        shown = 0
        while count is None or shown < count:
            reads = await outbox.read(_BATCH if count is None else min(_BATCH, count - shown), _BATCH_BYTES)
            for message, _ in reads:
                show(told(message, made.encode(message)))
                shown += 1
            if not reads:
                await asyncio.sleep(_LOOK_SECONDS)


async def try_connection(url: str, row: PipelineRow) -> None:
    """Open the other end of a pipeline, and close it. Raises TrickleError: why that is not possible."""
    end = plain(row, url).make()
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            await end.open()
    except TimeoutError as error:
        raise ConfigurationError(f"{row.connector['type']} does not answer within {_OPEN_SECONDS:g} s") from error
    finally:
        await end.close()


async def replay(url: str, row: PipelineRow, first: int, last: int, *, dry_run: bool) -> tuple[int, Sequence[Refusal]]:
    """Send the messages of a range of ids again; how many were accepted, and which were refused.

    Raises TrickleError when the destination does not take any more: what was sent until then was sent.
    """
    made = _forward(plain(row, url))
    sink: Any = None if dry_run else made.make()
    sent, refused = 0, list[Refusal]()
    async with _reader(url, row) as outbox:
        try:
            if sink is not None:
                await sink.open()
            await outbox.look_from(first - 1)
            async for messages in _through(outbox, last):
                parts, unencodable = _encoded(made, messages)
                refused += unencodable
                not_taken = await _sent_in_order(sink, parts) if sink is not None else []
                sent += len(parts) - len(not_taken)
                refused += not_taken
        finally:
            if sink is not None:
                await sink.close()
    return sent, refused


def told(message: Message, parts: Sequence[Outgoing] | Failure) -> dict[str, Any]:
    """A message as `trickle relay tail` prints it."""
    facts: dict[str, Any] = {
        "outbox_id": message.outbox_id,
        "event_id": message.event_id,
        "created_at": message.created_at.isoformat(),
        "key": message.key,
    }
    if isinstance(parts, Failure):
        return facts | {"cannot_be_sent": parts.reason}
    return facts | {"sent": [_shown(part) for part in parts]}


def _shown(part: Outgoing) -> dict[str, Any]:
    body = part.body.decode(errors="replace") if is_json(part.content_type) else repr(part.body)
    return {
        "event_id": part.event_id,
        "address": part.address,
        "headers": dict(part.headers),
        "body": body[:_TEXT_CHARACTERS],
    }


def _forward(made: Plain) -> Plain:
    if not isinstance(made.pipeline, ForwardPipeline):
        raise ConfigurationError(
            f"pipeline {made.pipeline.name!r} goes into an inbox: it has no outbox to read",
            hint="`trickle relay status` shows the direction of each",
        )
    return made


def _encoded(made: Plain, messages: Sequence[Message]) -> tuple[list[Outgoing], list[Refusal]]:
    parts: list[Outgoing] = []
    refused: list[Refusal] = []
    for message in messages:
        encoded = made.encode(message)
        if isinstance(encoded, Failure):
            refused.append((message.event_id, encoded.reason))
        else:
            parts.extend(encoded)
    return parts, refused


async def _sent_in_order(sink: Sink, parts: Sequence[Outgoing]) -> list[Refusal]:
    """Send them, one of a key after the other where the sink needs that; those that were not taken."""
    refused: list[Refusal] = []
    waiting = list(parts)
    while waiting:
        now, later = (waiting, []) if sink.keeps_order else _one_of_each_key(waiting)
        failures = await sink.send(now)
        refused += [(now[index].event_id, failure.reason) for index, failure in failures.items()]
        waiting = later
    return refused


def _one_of_each_key(parts: Sequence[Outgoing]) -> tuple[list[Outgoing], list[Outgoing]]:
    """The first of each key with those that have none, and the others."""
    now: list[Outgoing] = []
    later: list[Outgoing] = []
    taken: set[str] = set()
    for part in parts:
        (later if part.key in taken else now).append(part)
        if part.key is not None:
            taken.add(part.key)
    return now, later


async def _through(outbox: Outbox, last: int) -> AsyncIterator[Sequence[Message]]:
    """Batches of messages up to and with an id, as far as they are committed now."""
    while reads := await outbox.read(_BATCH, _BATCH_BYTES):
        messages = [message for message, _ in reads if message.outbox_id <= last]
        if messages:
            yield messages
        if len(messages) < len(reads):
            return


@asynccontextmanager
async def _reader(url: str, row: PipelineRow) -> AsyncIterator[Outbox]:
    pool: AsyncPool = make_pool(url, role="relay_tool", most=2)
    async with pool:
        yield Outbox(pool, row.name, row.group or row.name)
