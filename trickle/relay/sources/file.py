"""A file that grows: each line is a message, from where the reading stopped the last time.

Up to where all is in the inbox stands in a second file, `<path>.offset`, which is replaced as a whole: after a crash
it says the old place or the new one. A last line without a break is still being written, and is waited for. The event
id is a field of the line, or a hash of the line and of where it begins.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from trickle.errors import ConfigurationError
from trickle.relay.connector import SourceConnector
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.lines import Piece, Splitter, incoming
from trickle.relay.message import Incoming
from trickle.relay.options import option
from trickle.relay.threads import in_thread
from trickle.relay.window import Window

Answer = TypeVar("Answer")

_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Which file, and what a line is."""

    path: str = option("The file.")
    offset_path: str = option("Where to remember how far it has been read; `<path>.offset` otherwise.", default="")
    id_field: str = option("Field of a JSON line with the event id; without one it is a hash.", default="")
    poll_seconds: float = option("How often to look whether it has grown.", default=0.2, unit="s", minimum=0.01)
    max_line_bytes: int = option("A longer line stops the reading.", default=2**24, unit="bytes", minimum=1)


class FileSource:
    """The file, open, and how far it has been read."""

    def __init__(self, options: FileOptions) -> None:
        if not options.path:
            raise ConfigurationError("file: the path is empty")
        self._options = options
        self._path = Path(options.path)
        self._offset_path = Path(options.offset_path or f"{options.path}.offset")
        self._descriptor: int | None = None
        self._splitter = Splitter()
        self._window: Window[int] = Window()
        # What was read for somebody who has given up waiting is still there for the next one.
        self._pieces: deque[Piece] = deque()

    async def open(self) -> None:
        self._window = Window()
        self._pieces.clear()
        await self._guarded(lambda _: self._open())

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        taken = self._window.take(limit)
        if taken:
            return taken
        await self._guarded(partial(self._read, time.monotonic() + wait_seconds))
        while self._pieces:
            piece = self._pieces.popleft()
            made = partial(incoming, piece.text, piece.begins, f"file:{self._path.name}", self._options.id_field)
            self._window.put(piece.ends, made)
        return self._window.take(limit)

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        done = self._window.acknowledge(messages)
        if done:
            await self._guarded(lambda _: _replace(self._offset_path, f"{done[-1]}\n"))

    async def release(self, messages: Sequence[Incoming]) -> None:
        self._window.release(messages)

    async def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    async def _guarded(self, work: Callable[[threading.Event], Answer]) -> Answer:
        try:
            return await in_thread(work)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError)
            refused = FailureKind.AUTHORIZATION if isinstance(error, PermissionError) else FailureKind.UNAVAILABLE
            kind = FailureKind.DESTINATION if missing else refused
            raise ConnectorError(kind, f"{error.filename or self._path}: {error.strerror}") from error

    def _open(self) -> None:
        self._splitter = Splitter(_remembered(self._offset_path))
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def _read(self, deadline: float, stop: threading.Event) -> None:
        while True:
            if self._descriptor is None:
                raise ConnectorError(FailureKind.UNAVAILABLE, f"{self._path} is not open")
            self._check_length(os.fstat(self._descriptor).st_size)
            data = os.pread(self._descriptor, _CHUNK_BYTES, self._splitter.position)
            self._pieces.extend(self._splitter.feed(data))
            left = deadline - time.monotonic()
            if self._pieces or left <= 0 or stop.is_set():
                return
            if not data:
                stop.wait(min(left, self._options.poll_seconds))

    def _check_length(self, size: int) -> None:
        if size < self._splitter.position:
            reason = (
                f"{self._path} has {size} bytes, and more have been read: remove {self._offset_path} to read it anew"
            )
            raise ConnectorError(FailureKind.DESTINATION, reason)
        if self._splitter.rest_bytes > self._options.max_line_bytes:
            reason = f"{self._path}: a line is longer than {self._options.max_line_bytes} bytes"
            raise ConnectorError(FailureKind.DESTINATION, reason)


def _remembered(path: Path) -> int:
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return 0
    except UnicodeDecodeError:
        text = ""
    if not text.isdigit():
        raise ConnectorError(FailureKind.DESTINATION, f"{path} does not hold a number of bytes")
    return int(text)


def _replace(path: Path, text: str) -> None:
    """Write a file so that whoever reads it, also after a crash, finds the old text or the new one."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


CONNECTOR = SourceConnector(
    name="file",
    options=FileOptions,
    make=FileSource,
    identity="a field of the line, or a hash of the line and of where it begins",
    boundary="the offset file names the end of the line, once all before it are in the inbox as well",
)
