"""What a caller of connectors does, in its simplest form: messages, several sends under way, lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count

from trickle.relay.connector import Sink, Source
from trickle.relay.failures import ConnectorError, Failure
from trickle.relay.message import Incoming, Outgoing

_STAMP = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def outgoing(
    number: int,
    *,
    key: str | None = None,
    address: str = "",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    prefix: str = "event",
) -> Outgoing:
    """A message whose id and body tell its number."""
    return Outgoing(
        event_id=f"{prefix}-{number}",
        key=key,
        address=address,
        body=b'{"n": %d}' % number if body is None else body,
        content_type="application/json",
        headers=headers or {},
        created_at=_STAMP,
        outbox_id=number,
    )


async def send_all(
    make: Callable[[], Sink],
    messages: Sequence[Outgoing],
    *,
    on_answer: Callable[[int], None] = lambda count: None,
    size: int = 50,
    width: int = 4,
) -> int:
    """Send in order, `width` batches under way, and again what got no answer; how many connections it took."""
    batches: list[Sequence[Outgoing]] = [messages[start : start + size] for start in range(0, len(messages), size)]
    answered = 0
    for connections in count(1):
        sink = make()
        unanswered: list[int] = []

        async def send(
            number: int,
            sink: Sink = sink,
            unanswered: list[int] = unanswered,
            batches: list[Sequence[Outgoing]] = batches,
        ) -> None:
            nonlocal answered
            try:
                failures = await sink.send(batches[number])
            except ConnectorError:
                unanswered.append(number)
                return
            assert not failures
            answered += 1
            on_answer(answered)

        try:
            await sink.open()
        except ConnectorError:
            await sink.close()
            await asyncio.sleep(0.05)
            continue
        under_way: set[asyncio.Task[None]] = set()
        started = 0
        try:
            while under_way or (started < len(batches) and not unanswered):
                while started < len(batches) and not unanswered and len(under_way) < width:
                    under_way.add(asyncio.create_task(send(started)))
                    started += 1
                    await asyncio.sleep(0)
                over, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in over:
                    task.result()
        finally:
            await sink.close()
        batches = [batches[number] for number in sorted(unanswered)] + batches[started:]
        if not batches:
            return connections
    raise AssertionError


def assert_complete(arrived: Iterable[tuple[str, str | None]], sent: Sequence[Outgoing]) -> None:
    """By id, nothing is missing; and the first arrivals of each key are in the order in which they were sent."""
    firsts = list(dict.fromkeys(arrived))
    assert {event_id for event_id, _ in firsts} == {message.event_id for message in sent}
    for key in {message.key for message in sent}:
        expected = [message.event_id for message in sent if message.key == key]
        assert [event_id for event_id, found in firsts if found == key] == expected


async def take(source: Source, number: int, *, seconds: float = 20.0, limit: int = 500) -> list[Incoming]:
    """Receive until there are so many."""
    taken: list[Incoming] = []
    async with asyncio.timeout(seconds):
        while len(taken) < number:
            taken += await source.receive(min(limit, number - len(taken)), 1.0)
    return taken


async def nothing_comes(source: Source, seconds: float = 0.3) -> None:
    assert not await source.receive(10, seconds)


async def error_of(opening: Sink | Source) -> ConnectorError:
    """The error with which opening ends, soon."""
    try:
        async with asyncio.timeout(15):
            await opening.open()
    except ConnectorError as error:
        return error
    finally:
        await opening.close()
    raise AssertionError("it opened")


def kinds(failures: Mapping[int, Failure]) -> dict[int, str]:
    return {index: str(failure.kind) for index, failure in failures.items()}
