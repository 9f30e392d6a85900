"""Three workers, and somebody who starts another when one is gone.

    running ──killed, crashed──▶ gone ──a pause──▶ running, under a new name

The pause is there to be seen: in it the others do all the work. A worker that leaves because its
configuration is wrong, or workers that keep crashing by themselves, end the demo with the end of their log.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from trickle.demo import processes
from trickle.demo.processes import Process
from trickle.errors import Ours
from trickle.supervisor.options import EXIT_CONFIGURATION

GROUP = "demo"

_REPLACE_SECONDS = 2.0
_MAX_CRASHES = 5
_DRAIN_SECONDS = 5.0
_STOP_SECONDS = 10.0


@dataclass(slots=True)
class Slot:
    """A place for one worker; `free_at` is when it became empty."""

    instance_id: str
    process: Process
    free_at: float | None = None


class Workers:
    """All workers of the demo; one group, one name each, never used twice."""

    def __init__(self, url: str, log_dir: Path) -> None:
        self._url = url
        self._log_dir = log_dir
        self._slots: list[Slot] = []
        self._started = 0
        self._crashes = 0

    @property
    def running(self) -> tuple[str, ...]:
        """The instance ids of those whose process runs, in the order of their slots."""
        return tuple(slot.instance_id for slot in self._slots if slot.free_at is None)

    def start(self, count: int) -> None:
        for _ in range(count):
            self._slots.append(self._start_one())

    def tend(self, now: float) -> None:
        """Notice who is gone, and start another when the pause is over."""
        for number, slot in enumerate(self._slots):
            if slot.free_at is None:
                self._notice(slot, now)
            elif now >= slot.free_at + _REPLACE_SECONDS:
                self._slots[number] = self._start_one()

    def kill(self, instance_id: str, now: float) -> None:
        """`kill -9` of the whole instance; its refresh subprocesses go with it."""
        for slot in self._slots:
            if slot.instance_id == instance_id and slot.free_at is None:
                slot.process.signal(signal.SIGKILL)
                slot.process.process.wait()
                slot.free_at = now

    def stop(self) -> None:
        processes.end((slot.process for slot in self._slots), wait_seconds=_STOP_SECONDS)
        self._slots.clear()

    def _notice(self, slot: Slot, now: float) -> None:
        code = slot.process.exit_code()
        if code is None:
            return
        self._crashes += 1
        if code == EXIT_CONFIGURATION or self._crashes > _MAX_CRASHES:
            raise Ours(f"{slot.instance_id} ended by itself with exit code {code}; it said:\n{slot.process.said()}")
        slot.free_at = now

    def _start_one(self) -> Slot:
        self._started += 1
        instance_id = f"worker-{self._started}"
        told = {
            "url": self._url,
            "group_id": GROUP,
            "instance_id": instance_id,
            "children": 2,
            "discovery_seconds": 2.0,
            "tick_seconds": 0.25,
            "drain_seconds": _DRAIN_SECONDS,
        }
        return Slot(instance_id, processes.start("worker", told, self._log_dir / f"{instance_id}.log"))
