"""The subprocesses of a relay: fork, tell, listen, reap, and start another in the place of one that died.

A carrier is one event loop, and says every second that it turns. One in which something blocks carries nothing, yet
lives; after a while of silence it is ended as well.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import ForkProcess

from trickle.clock import Clock, backoff_seconds
from trickle.logs import ChildChannel, event
from trickle.relay.protocol import Carry, Ended, Leave, PipelineRow, Report
from trickle.relay.standing import Standing
from trickle.supervisor import carrier

log = logging.getLogger(__name__)

_REAP_SECONDS = 5.0
_STEADY_SECONDS = 60.0
SILENT_SECONDS = 30.0
# Who has not looked for so long was stopped himself, and says nothing about others by it.
_AWAY_SECONDS = 5.0


@dataclass(slots=True)
class _Process:
    process: ForkProcess
    pipe: Pipe
    channel: ChildChannel
    started_at: float
    heard_at: float
    told: tuple[PipelineRow, ...] = ()
    in_hand: set[str] = field(default_factory=set)
    standings: Mapping[str, Standing] = field(default_factory=dict)


class Carriers:
    """All carriers of one relay, by slot. A pipeline stays with the slot that its name chooses."""

    def __init__(
        self,
        count: int,
        options: carrier.CarrierOptions,
        sink: logging.Handler,
        clock: Clock,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        self._silent_seconds = silent_seconds
        self._looked_at = float("-inf")
        self._count = count
        self._options = options
        self._sink = sink
        self._clock = clock
        self._context = multiprocessing.get_context("fork")
        self._running: dict[int, _Process] = {}
        self._failures = dict.fromkeys(range(count), 0)
        self._start_at = dict.fromkeys(range(count), float("-inf"))
        self._rows: tuple[PipelineRow, ...] = ()
        self._is_leaving = False
        self._ended: list[tuple[str, Standing]] = []

    @property
    def in_hand(self) -> frozenset[str]:
        """Pipelines that some process may still touch."""
        return frozenset().union(*(running.in_hand for running in self._running.values()))

    @property
    def standings(self) -> dict[str, Standing]:
        """How each pipeline fares, as it was last told."""
        return {name: told for running in self._running.values() for name, told in running.standings.items()}

    def take_ended(self) -> list[tuple[str, Standing]]:
        """Pipelines that stopped, were changed or lost their process since this was asked, and what they did."""
        ended, self._ended = self._ended, []
        return ended

    @property
    def alive(self) -> int:
        return len(self._running)

    @property
    def next_start(self) -> float | None:
        """When a process is to be started in the place of one that died."""
        moments = [at for slot, at in self._start_at.items() if slot not in self._running]
        return min(moments, default=None) if not self._is_leaving else None

    def carry(self, rows: Iterable[PipelineRow]) -> None:
        """These and no others from now on; processes that are missing are started."""
        self._rows = tuple(rows)
        now = self._clock.monotonic()
        for slot in range(self._count):
            if slot not in self._running and now >= self._start_at[slot] and not self._is_leaving:
                self._spawn(slot)
            self._tell(slot)

    def leave(self) -> None:
        """Have all of them finish what is on its way and end."""
        self._is_leaving = True
        self._rows = ()
        for running in self._running.values():
            with contextlib.suppress(OSError):
                running.pipe.send(Leave())

    def pipes(self) -> list[Pipe]:
        """What becomes readable when a carrier speaks or dies."""
        return [running.pipe for running in self._running.values()]

    def listen(self, ready: Iterable[object]) -> bool:
        """Hear the ready ones out; whether a pipeline is free that was not."""
        woken = set(map(id, ready))
        before = self.in_hand
        for slot, running in list(self._running.items()):
            if id(running.pipe) in woken:
                self._hear(slot, running)
        return self.in_hand != before

    def look(self) -> bool:
        """End who has been silent for too long; whether it is time for `carry` to start somebody."""
        now = self._clock.monotonic()
        was_away, self._looked_at = now - self._looked_at > _AWAY_SECONDS, now
        for slot, running in self._running.items():
            if now - running.heard_at > self._silent_seconds and not was_away:
                event(log, logging.ERROR, "a carrier does not answer and is ended", slot=slot, pid=running.process.pid)
                running.process.kill()
                running.heard_at = now
            elif was_away:
                running.heard_at = now
        return self.next_start is not None and now >= self.next_start

    def kill(self) -> None:
        """End whatever still runs; tolerates being called twice."""
        for running in self._running.values():
            running.process.kill()
        for slot, running in list(self._running.items()):
            self._reap(slot, running)

    def _spawn(self, slot: int) -> None:
        ours, theirs = self._context.Pipe()
        channel = ChildChannel(self._sink, f"log-relay-{slot}")
        process = self._context.Process(
            target=carrier.main, args=(self._options, theirs, channel, os.getpid()), name=f"relay-{slot}"
        )
        with warnings.catch_warnings():
            # Our threads only pass log records on; the child opens anew everything it uses.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        channel.forked()
        now = self._clock.monotonic()
        self._running[slot] = _Process(process, ours, channel, started_at=now, heard_at=now)

    def _tell(self, slot: int) -> None:
        running = self._running.get(slot)
        if running is None:
            return
        rows = tuple(row for row in self._rows if slot_of(row.name, self._count) == slot)
        if rows != running.told:
            running.told = rows
            running.in_hand.update(row.name for row in rows)
            # One that has just died is heard of by the end of its pipe.
            with contextlib.suppress(OSError):
                running.pipe.send(Carry(rows))

    def _hear(self, slot: int, running: _Process) -> None:
        try:
            while running.pipe.poll():
                running.heard_at = self._clock.monotonic()
                match running.pipe.recv():
                    case Ended(name, standing, is_changed):
                        self._ended.append((name, standing))
                        running.standings = {n: told for n, told in running.standings.items() if n != name}
                        if not is_changed:
                            running.in_hand -= {name} - {row.name for row in running.told}
                    case Report(standings):
                        running.standings = {**running.standings, **standings}
        except (EOFError, OSError):
            self._died(slot, running)

    def _died(self, slot: int, running: _Process) -> None:
        code = self._reap(slot, running)
        if self._is_leaving:
            return
        now = self._clock.monotonic()
        is_steady = now - running.started_at >= _STEADY_SECONDS
        self._failures[slot] = 1 if is_steady else self._failures[slot] + 1
        pause = backoff_seconds(self._failures[slot], base=0.1, cap=30.0, draw=0.5)
        self._start_at[slot] = now + pause
        event(log, logging.WARNING, "a carrier ended", slot=slot, exit_code=code, retry_seconds=round(pause, 2))

    def _reap(self, slot: int, running: _Process) -> int:
        running.process.join(_REAP_SECONDS)
        if running.process.is_alive():
            running.process.kill()
            running.process.join()
        code = running.process.exitcode
        self._ended += running.standings.items()
        running.process.close()
        running.pipe.close()
        running.channel.close()
        self._running.pop(slot, None)
        return code if code is not None else -1


def slot_of(name: str, count: int) -> int:
    """Which process a pipeline belongs to: the same one as long as there are so many."""
    return sum(name.encode()) % count
