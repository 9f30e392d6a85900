"""Standard output: one line for each message, for looking on and for pipes.

Whoever reads a pipe slowly is waited for, but not for ever; when it has gone the messages are not delivered.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from trickle.relay.connector import NO_FAILURES, SinkConnector
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.lines import LAYOUTS, line
from trickle.relay.message import Outgoing
from trickle.relay.options import option
from trickle.relay.threads import in_thread

# So much can be written to a pipe that is ready, without waiting (POSIX).
_CHUNK_BYTES = min(select.PIPE_BUF, 4096)
_TURN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class StdoutOptions:
    """How lines look."""

    layout: str = option(
        "json: bodies as they are; envelope: with id, key and headers; raw: whatever is in them.",
        default="json",
        choices=LAYOUTS,
    )
    timeout_seconds: float = option("How long a reader may take for a batch.", default=30.0, unit="s", minimum=0.1)


class StdoutSink:
    """Writes to a descriptor that is open already, and leaves it open."""

    keeps_order = True

    def __init__(self, options: StdoutOptions, descriptor: int = 1) -> None:
        self._options = options
        self._descriptor = descriptor
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Nothing has to be opened."""

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        lines = [line(message, self._options.layout) for message in messages]
        whole = b"".join(text for text in lines if isinstance(text, bytes))
        async with self._turn:
            deadline = time.monotonic() + self._options.timeout_seconds
            await in_thread(partial(_write, self._descriptor, whole, deadline))
        return {i: text for i, text in enumerate(lines) if isinstance(text, Failure)} or NO_FAILURES

    async def close(self) -> None:
        """It is not ours to close."""


def _write(descriptor: int, data: bytes, deadline: float, stop: threading.Event) -> None:
    """All of it, in pieces for which the reader has room, so that no write waits longer than it may."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    left = memoryview(data)
    try:
        while left:
            if poll.poll(_TURN_SECONDS * 1000):
                left = left[os.write(descriptor, left[:_CHUNK_BYTES]) :]
            elif stop.is_set() or time.monotonic() > deadline:
                raise ConnectorError(FailureKind.TIMEOUT, "nobody reads the standard output")
    except OSError as error:
        reason = f"the standard output cannot be written: {error.strerror}"
        raise ConnectorError(FailureKind.UNAVAILABLE, reason) from error


CONNECTOR = SinkConnector(
    name="stdout",
    options=StdoutOptions,
    make=StdoutSink,
    address="not used",
    identity="none, unless the event id is in the line",
    boundary="the line has been written",
)
