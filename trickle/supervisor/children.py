"""The processes behind the slots of a fleet: fork, talk, weigh, kill, reap. It decides nothing."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import ForkProcess
from pathlib import Path

from trickle.logs import ChildChannel
from trickle.worker import child
from trickle.worker.protocol import Answer, Hello, Job, Stop

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# A child that has closed its pipe is on its way out.
_REAP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Spoke:
    """A child answered."""

    slot: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Died:
    """A child is reaped; a negative code is the signal that ended it."""

    slot: int
    code: int


@dataclass(slots=True)
class _Process:
    process: ForkProcess
    pipe: Pipe
    channel: ChildChannel
    backend_pid: int | None = None


class Nursery:
    """All running refresh subprocesses of this instance, by slot."""

    def __init__(self, options: child.ChildOptions, sink: logging.Handler) -> None:
        self._options = options
        self._sink = sink
        self._context = multiprocessing.get_context("fork")
        self._running: dict[int, _Process] = {}

    def spawn(self, slot: int) -> int:
        """Fork a child; its process id."""
        ours, theirs = self._context.Pipe()
        channel = ChildChannel(self._sink, f"log-{slot}")
        process = self._context.Process(
            target=child.main, args=(self._options, theirs, channel, os.getpid()), name=f"refresh-{slot}"
        )
        with warnings.catch_warnings():
            # Python warns of forking beside threads. Ours only pass log records on, and the child opens anew
            # everything it uses: connection, pipe and log channel.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        channel.forked()
        self._running[slot] = _Process(process, ours, channel)
        return process.pid or 0

    def send(self, slot: int, job: Job) -> None:
        self._say(slot, job)

    def ask(self, slot: int) -> None:
        self._say(slot, Stop())

    def kill(self, slot: int) -> None:
        running = self._running.get(slot)
        if running is not None:
            running.process.kill()

    def backend_pid(self, slot: int) -> int | None:
        running = self._running.get(slot)
        return running.backend_pid if running else None

    def pid(self, slot: int) -> int | None:
        running = self._running.get(slot)
        return running.process.pid if running else None

    def pipes(self) -> list[Pipe]:
        """What becomes readable when a child speaks or dies.

        Only the child holds the other end, so the end of the pipe is the end of the child. The sentinel of
        multiprocessing would not do: its descriptor is among those the child drops.
        """
        return [running.pipe for running in self._running.values()]

    def collect(self, ready: Iterable[object]) -> list[Spoke | Died]:
        """What the ready ones have to say. The last words of a dead child come before its death."""
        woken = set(map(id, ready))
        news: list[Spoke | Died] = []
        for slot, running in list(self._running.items()):
            if id(running.pipe) in woken:
                news += self._listen(slot, running)
        return news

    def memory_bytes(self, slot: int) -> int:
        """Resident memory of a child; 0 where the system does not tell."""
        try:
            statm = Path(f"/proc/{self._running[slot].process.pid}/statm").read_text(encoding="ascii")
            return int(statm.split()[1]) * _PAGE_BYTES
        except (OSError, KeyError, IndexError, ValueError):
            return 0

    def slots(self) -> list[int]:
        return list(self._running)

    def close(self) -> None:
        """End whatever still runs; tolerates being called twice."""
        for running in self._running.values():
            running.process.kill()
        for slot, running in list(self._running.items()):
            self._reap(slot, running)

    def _say(self, slot: int, message: Job | Stop) -> None:
        running = self._running.get(slot)
        if running is not None:
            # A child that died meanwhile is reported by its sentinel, with the job as lost.
            with contextlib.suppress(OSError):
                running.pipe.send(message)

    def _listen(self, slot: int, running: _Process) -> list[Spoke | Died]:
        news: list[Spoke | Died] = []
        try:
            while running.pipe.poll():
                answer = running.pipe.recv()
                if isinstance(answer, Hello):
                    running.backend_pid = answer.backend_pid
                news.append(Spoke(slot, answer))
        except (EOFError, OSError):
            # It died, perhaps in the middle of a word.
            news.append(Died(slot, self._reap(slot, running)))
        return news

    def _reap(self, slot: int, running: _Process) -> int:
        running.process.join(_REAP_SECONDS)
        if running.process.is_alive():
            running.process.kill()
            running.process.join()
        code = running.process.exitcode
        running.process.close()
        running.pipe.close()
        running.channel.close()
        self._running.pop(slot, None)
        return code if code is not None else -1
