"""The fleet and its processes together: what happens goes into the state machine, what it says is done."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from trickle.clock import Clock
from trickle.logs import event
from trickle.supervisor import fleet as f
from trickle.supervisor.children import Died, Nursery, Spoke
from trickle.supervisor.state import idle_slots, new_fleet, step
from trickle.worker.protocol import Answer, Done, Failed, Hello, Job

log = logging.getLogger(__name__)


@dataclass(slots=True)
class News:
    """What the rest of the instance has to hear about."""

    answers: list[Done | Failed] = field(default_factory=list)
    lost: list[f.Lost] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    finished: f.Finish | None = None


class Crew:
    """All children of the instance."""

    def __init__(
        self, size: int, limits: f.Limits, nursery: Nursery, clock: Clock, end_backend: Callable[[int], None]
    ) -> None:
        self.fleet = new_fleet(size, limits)
        self._nursery = nursery
        self._clock = clock
        self._end_backend = end_backend
        self._news = News()

    @property
    def idle(self) -> int:
        return idle_slots(self.fleet)

    @property
    def jobs(self) -> list[Job]:
        """The jobs in hand."""
        return [child.job for child in self.fleet.children if child.job is not None]

    def backend_pid(self, job: Job) -> int | None:
        """The session that works on it; None when a pooler hides it."""
        slots = (slot for slot, child in enumerate(self.fleet.children) if child.job is job)
        return next((self._nursery.backend_pid(slot) for slot in slots), None)

    @property
    def alive(self) -> int:
        return sum(1 for child in self.fleet.children if child.phase in f.ALIVE)

    @property
    def next_deadline(self) -> float | None:
        """When the state machine wants to be told that time has passed."""
        deadlines = [child.deadline for child in self.fleet.children if child.deadline is not None]
        if self.fleet.drain_deadline is not None and not self.fleet.hard:
            deadlines.append(self.fleet.drain_deadline)
        return min(deadlines, default=None)

    def waits_on(self) -> list[object]:
        return list(self._nursery.pipes())

    def offer(self, job: Job, limit_seconds: float, home: int | None = None) -> bool:
        """Whether a child took the job."""
        before = len(self.jobs)
        self.feed(f.Offered(job, limit_seconds, home))
        return len(self.jobs) > before

    def listen(self, ready: Iterable[object]) -> None:
        """Hear the children that have something to say, and bury the dead."""
        for item in self._nursery.collect(ready):
            if isinstance(item, Spoke):
                self._heard(item.slot, item.answer)
            elif isinstance(item, Died):
                self._died(item.slot, item.code)

    def tick(self) -> None:
        for slot in self._nursery.slots():
            self.feed(f.Weighed(slot, self._nursery.memory_bytes(slot)))
        self.feed(f.Tick())

    def feed(self, happened: f.Event) -> None:
        self.fleet, actions = step(self.fleet, happened, self._clock.monotonic())
        for action in actions:
            self._perform(action)

    def take_news(self) -> News:
        news, self._news = self._news, News()
        return news

    def close(self) -> None:
        self._nursery.close()

    def _heard(self, slot: int, answer: Answer) -> None:
        if isinstance(answer, Hello):
            event(log, logging.DEBUG, "refresh subprocess ready", slot=slot, child=answer.pid)
            self.feed(f.Ready(slot))
        else:
            self.feed(f.Answered(slot))
            self._news.answers.append(answer)

    def _died(self, slot: int, code: int) -> None:
        was = self.fleet.children[slot].phase
        self.feed(f.Exited(slot, code, random.random()))
        if was is not f.Phase.LEAVING and self.fleet.mode is f.Mode.RUNNING:
            event(log, logging.WARNING, "refresh subprocess ended", slot=slot, exit_code=code, was=was.value)

    def _perform(self, action: f.Action) -> None:
        match action:
            case f.Spawn(slot=slot):
                pid = self._nursery.spawn(slot)
                event(log, logging.DEBUG, "refresh subprocess started", slot=slot, child=pid)
            case f.Send(slot=slot, job=job):
                self._nursery.send(slot, job)
            case f.Ask(slot=slot, why=why):
                event(log, logging.DEBUG, "refresh subprocess asked to leave", slot=slot, why=why)
                self._nursery.ask(slot)
                self._note_replacement(why)
            case f.Kill(slot=slot, why=why):
                self._kill(slot, why)
                self._note_replacement(why)
            case f.Lost():
                self._news.lost.append(action)
                self._note_replacement("crashed")
            case f.Finish():
                self._news.finished = action

    def _kill(self, slot: int, why: str) -> None:
        event(log, logging.WARNING, "refresh subprocess killed", slot=slot, why=why)
        backend_pid = self._nursery.backend_pid(slot)
        self._nursery.kill(slot)
        if backend_pid is not None and self.fleet.children[slot].job is not None:
            self._end_backend(backend_pid)

    def _note_replacement(self, why: str) -> None:
        if self.fleet.mode is f.Mode.RUNNING:
            self._news.replaced.append(why)
