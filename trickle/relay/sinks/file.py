"""A file: one line for each message, appended and made durable.

Only whole lines count. A torn one at the end, from a crash in the middle of a write, is of a message that was never
delivered: it is cut off when the file is opened, and the message is sent again. Meanwhile the file is locked, so that
nobody cuts off what another process is just writing.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trickle.errors import ConfigurationError
from trickle.relay.connector import NO_FAILURES, SinkConnector
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.lines import LAYOUTS, line
from trickle.relay.message import Outgoing
from trickle.relay.options import option
from trickle.relay.threads import in_thread

_CHUNK_BYTES = 64 * 1024

_KINDS = {
    errno.EACCES: FailureKind.AUTHORIZATION,
    errno.EPERM: FailureKind.AUTHORIZATION,
    errno.EROFS: FailureKind.AUTHORIZATION,
    errno.ENOENT: FailureKind.DESTINATION,
    errno.ENOTDIR: FailureKind.DESTINATION,
    errno.EISDIR: FailureKind.DESTINATION,
    errno.ENXIO: FailureKind.DESTINATION,
}


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Which file, and how lines look."""

    path: str = option("The file; it is created, its directory is not.")
    layout: str = option(
        "json: bodies as they are; envelope: with id, key and headers; raw: whatever is in them.",
        default="json",
        choices=LAYOUTS,
    )
    fsync: bool = option("Whether a message counts as delivered only when it is on the disk.", default=True)


class FileSink:
    """The file, open and locked."""

    keeps_order = True

    def __init__(self, options: FileOptions) -> None:
        if not options.path:
            raise ConfigurationError("file: the path is empty")
        self._options = options
        self._descriptor: int | None = None
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        try:
            await in_thread(lambda _: self._open_and_lock())
        except OSError as error:
            raise self._error(error) from error

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        lines = [line(message, self._options.layout) for message in messages]
        whole = b"".join(text for text in lines if isinstance(text, bytes))
        async with self._turn:
            descriptor = self._descriptor
            if descriptor is None:
                raise ConnectorError(FailureKind.UNAVAILABLE, f"{self._options.path} is not open")
            try:
                await in_thread(lambda _: _append(descriptor, whole, self._options.fsync))
            except OSError as error:
                raise self._error(error) from error
        return {i: text for i, text in enumerate(lines) if isinstance(text, Failure)} or NO_FAILURES

    async def close(self) -> None:
        async with self._turn:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)

    def _open_and_lock(self) -> None:
        self._descriptor = _opened(Path(self._options.path), self._options.fsync)

    def _error(self, error: OSError) -> ConnectorError:
        if isinstance(error, BlockingIOError):
            return ConnectorError(FailureKind.UNAVAILABLE, f"{self._options.path}: another process writes to it")
        kind = _KINDS.get(error.errno or 0, FailureKind.UNAVAILABLE)
        return ConnectorError(kind, f"{self._options.path}: {error.strerror}")


def _opened(path: Path, durable: bool) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, _whole_bytes(descriptor))
        if durable:
            os.fsync(descriptor)
            _sync_directory(path.parent)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _whole_bytes(descriptor: int) -> int:
    """Where the last whole line ends."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(end - _CHUNK_BYTES, 0)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _append(descriptor: int, data: bytes, durable: bool) -> None:
    """All of it or nothing, as far as this process can see to that."""
    size = os.fstat(descriptor).st_size
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        if durable:
            os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


CONNECTOR = SinkConnector(
    name="file",
    options=FileOptions,
    make=FileSink,
    address="not used",
    identity="none, unless the event id is in the line",
    boundary="the lines are in the file, and on the disk unless fsync is off",
)
