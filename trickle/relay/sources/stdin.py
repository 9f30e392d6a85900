"""Standard input: each line is a message, for trying things out and for pipes.

Nothing remembers what has been read: whoever starts again feeds the lines again. So that the inbox knows them, the
event id is a field of the line, or a hash of the line and its number; the same input again gives the same ids, and
another input whose fifth line equals the fifth line of the first gives that one's id as well.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from trickle.relay.connector import SourceConnector
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.lines import Piece, Splitter, incoming
from trickle.relay.message import Incoming
from trickle.relay.options import option
from trickle.relay.threads import in_thread
from trickle.relay.window import Window

_CHUNK_BYTES = 64 * 1024
_TURN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class StdinOptions:
    """What a line is."""

    id_field: str = option("Field of a JSON line with the event id; without one it is a hash.", default="")
    max_line_bytes: int = option("Longer lines end the reading.", default=2**24, unit="bytes", minimum=1)


class StdinSource:
    """Reads a descriptor that is open already, only while somebody waits for messages, and leaves it open."""

    def __init__(self, options: StdinOptions, descriptor: int = 0) -> None:
        self._options = options
        self._descriptor = descriptor
        self._splitter = Splitter()
        self._window: Window[None] = Window()
        # What was read for somebody who has given up waiting is still there for the next one.
        self._pieces: deque[Piece] = deque()
        self._ended = False

    async def open(self) -> None:
        """Nothing has to be opened."""

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        taken = self._window.take(limit)
        if taken or self._ended:
            return taken or await self._window.receive(limit, wait_seconds)
        await in_thread(partial(self._read, time.monotonic() + wait_seconds))
        while self._pieces:
            piece = self._pieces.popleft()
            self._window.put(None, partial(incoming, piece.text, piece.number, "stdin", self._options.id_field))
        return self._window.take(limit)

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        self._window.acknowledge(messages)

    async def release(self, messages: Sequence[Incoming]) -> None:
        self._window.release(messages)

    async def close(self) -> None:
        """It is not ours to close."""

    def _read(self, deadline: float, stop: threading.Event) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        try:
            while not stop.is_set():
                left = deadline - time.monotonic()
                if poll.poll(max(min(_TURN_SECONDS, left), 0.0) * 1000):
                    self._pieces.extend(self._split(os.read(self._descriptor, _CHUNK_BYTES)))
                if left <= 0 or self._pieces or self._ended:
                    break
        except OSError as error:
            reason = f"the standard input cannot be read: {error.strerror}"
            raise ConnectorError(FailureKind.UNAVAILABLE, reason) from error

    def _split(self, data: bytes) -> list[Piece]:
        if not data:
            self._ended = True
            return self._splitter.end()
        pieces = self._splitter.feed(data)
        if self._splitter.rest_bytes > self._options.max_line_bytes:
            reason = f"a line of the standard input is longer than {self._options.max_line_bytes} bytes"
            raise ConnectorError(FailureKind.TOO_LARGE, reason)
        return pieces


CONNECTOR = SourceConnector(
    name="stdin",
    options=StdinOptions,
    make=StdinSource,
    identity="a field of the line, or a hash of the line and its number",
    boundary="never: nothing remembers what has been read",
)
