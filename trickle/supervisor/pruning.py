"""Which change buffers are worth a pruning job. Pure: counters in, sources out.

A buffer is worth a look when something was written to it since the last look. When a look removed nothing,
some consumer still needs the rows, or an old transaction hides them: the next looks come at doubling
intervals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_REST_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Buffer:
    """One source's buffer as the statistics show it."""

    source_id: int
    written: int
    is_new: bool = False


@dataclass(slots=True)
class _Look:
    written: int
    at: float
    removed: int | None = None
    rest_seconds: float = 0.0


class Pruner:
    """Remembers the last look at each buffer."""

    def __init__(self, every_seconds: float) -> None:
        self._every = every_seconds
        self._looks: dict[int, _Look] = {}

    def due(self, buffers: Iterable[Buffer], now: float) -> list[int]:
        """The sources to prune now."""
        return [buffer.source_id for buffer in buffers if self._is_due(buffer, now)]

    def started(self, buffer: Buffer, now: float) -> None:
        before = self._looks.get(buffer.source_id)
        rest = before.rest_seconds if before else self._every
        self._looks[buffer.source_id] = _Look(buffer.written, now, rest_seconds=rest)

    def finished(self, source_id: int, removed: int) -> None:
        """How much went; None was removed means that someone still needs it."""
        look = self._looks.get(source_id)
        if look is not None:
            look.removed = removed
            look.rest_seconds = self._every if removed else min(look.rest_seconds * 2, MAX_REST_SECONDS)

    def failed(self, source_id: int) -> None:
        self.finished(source_id, 0)

    def _is_due(self, buffer: Buffer, now: float) -> bool:
        look = self._looks.get(buffer.source_id)
        if look is None:
            return buffer.written > 0 or buffer.is_new
        if look.removed is None or now - look.at < self._every:
            return False
        if buffer.written != look.written:
            return True
        # Nothing new: look again only while rows may be left behind.
        return now - look.at >= look.rest_seconds and look.rest_seconds < MAX_REST_SECONDS
