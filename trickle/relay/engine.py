"""All pipelines of one process: started, changed and stopped as it is told, each a task of its own.

Carry ──▶ new: start    changed: stop, then start    not named any more: stop ──▶ Stopped
a wrong configuration ──▶ `failed`, with the reason, until it is changed or a secret that it lacked is there
a secret that has changed ──▶ stop, start
a crash ──▶ logged, and started again after a pause
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from trickle.clock import backoff_seconds
from trickle.errors import TrickleError
from trickle.logs import event
from trickle.relay.protocol import PipelineRow
from trickle.relay.standing import Standing, State

log = logging.getLogger(__name__)

SECRETS_SECONDS = 10.0
_STEADY_SECONDS = 60.0


class Runner(Protocol):
    """A pipeline at work."""

    async def run(self) -> None:
        """Until told to stop."""

    def stop(self) -> None:
        """Finish what is on its way and end."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A pipeline that could be made from its row."""

    runner: Runner
    fingerprint: str | None  # of the secrets that it was made with; None when it needs none


Assemble = Callable[[PipelineRow, Standing], Assembled]
Fingerprint = Callable[[PipelineRow], str | None]


@dataclass(slots=True)
class _Place:
    row: PipelineRow
    standing: Standing
    task: asyncio.Task[None]
    wants: asyncio.Event = field(default_factory=asyncio.Event)  # to stop
    runner: Runner | None = None


class Engine:
    """The pipelines of one process."""

    def __init__(
        self, assemble: Assemble, fingerprint: Fingerprint, ended: Callable[[str, Standing, bool], None]
    ) -> None:
        """`ended` is told a name, how it fared to its end, and whether it is carried on, changed."""
        self._assemble = assemble
        self._fingerprint = fingerprint
        self._tell_ended = ended
        self._places: dict[str, _Place] = {}
        self._wanted: dict[str, PipelineRow] = {}

    @property
    def standings(self) -> Mapping[str, Standing]:
        return {name: place.standing for name, place in self._places.items()}

    def carry(self, rows: tuple[PipelineRow, ...]) -> None:
        """These and no others, from now on."""
        self._wanted = {row.name: row for row in rows}
        for name, place in self._places.items():
            if self._wanted.get(name) != place.row:
                self._stop(place)
        for name in self._wanted.keys() - self._places.keys():
            self._start(name)

    async def leave(self) -> None:
        """Stop them all, and wait for it."""
        self.carry(())
        tasks = [place.task for place in self._places.values()]
        if tasks:
            await asyncio.wait(tasks)

    def _start(self, name: str) -> None:
        row, standing = self._wanted[name], Standing()
        task = asyncio.create_task(self._live(name))
        self._places[name] = _Place(row, standing, task)
        task.add_done_callback(lambda _: self._ended(name))

    def _stop(self, place: _Place) -> None:
        place.wants.set()
        if place.runner is not None:
            place.runner.stop()

    def _ended(self, name: str) -> None:
        place, is_wanted = self._places.pop(name), name in self._wanted
        self._tell_ended(name, place.standing, is_wanted)
        if is_wanted:
            self._start(name)

    async def _live(self, name: str) -> None:
        """One pipeline as long as it is wanted as it is."""
        place = self._places[name]
        failures = mistakes = 0
        while not place.wants.is_set():
            began = time.monotonic()
            try:
                await self._run(place, self._assemble(place.row, place.standing))
            except TrickleError as error:
                if place.standing.turn(State.FAILED, str(error)):
                    event(log, logging.ERROR, "a pipeline cannot be carried", pipeline=name, why=str(error))
                mistakes += 1
                await _wait(place.wants, backoff_seconds(mistakes, base=0.5, cap=SECRETS_SECONDS, draw=0.5))
            except Exception:
                failures = failures + 1 if time.monotonic() - began < _STEADY_SECONDS else 1
                log.exception("a pipeline crashed", extra={"fields": {"pipeline": name}})
                place.standing.turn(State.HELD, "it crashed; the log of the relay says why")
                await _wait(place.wants, backoff_seconds(failures, base=0.5, cap=30.0, draw=0.5))

    async def _run(self, place: _Place, assembled: Assembled) -> None:
        """Until it is to stop, or its secrets have changed."""
        place.runner = assembled.runner
        running = asyncio.create_task(assembled.runner.run())
        try:
            while not running.done():
                await asyncio.wait({running}, timeout=None if assembled.fingerprint is None else SECRETS_SECONDS)
                if not running.done() and self._has_other_secrets(place, assembled):
                    event(log, logging.INFO, "secrets of a pipeline have changed", pipeline=place.row.name)
                    assembled.runner.stop()
            await running
        finally:
            place.runner = None
            if not running.done():
                running.cancel()
                await asyncio.wait({running})

    def _has_other_secrets(self, place: _Place, assembled: Assembled) -> bool:
        try:
            return self._fingerprint(place.row) != assembled.fingerprint
        except TrickleError:
            return False  # one that is being replaced: what is connected goes on


async def _wait(wants: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wants.wait()
    except TimeoutError:
        pass
