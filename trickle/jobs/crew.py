"""The attempts of one runner that are under way, and the outcomes that are not acknowledged yet.

start ──▶ at work ──ends──▶ outcome ──taken──▶ acknowledged
             ├─ somebody cancelled the job: the handler is told, and its attempt counts as failed
             └─ the lease is lost, or handed back: the handler is told, and nothing is said of the attempt
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from trickle.jobs.around import Around
from trickle.jobs.attempt import Threads, failed, perform
from trickle.jobs.context import JobContext
from trickle.jobs.payload import PayloadError, encoded
from trickle.jobs.protocol import Lease, Outcome
from trickle.jobs.registry import Handler


@dataclass(slots=True)
class _Attempt:
    context: JobContext
    task: asyncio.Task[Outcome]
    is_coroutine: bool
    is_ours: bool = True


class Crew:
    """Attempts under way; `ended` is called when one has an outcome."""

    def __init__(self, ended: Callable[[], None], around: Sequence[Around] = ()) -> None:
        self._ended = ended
        self._around = around
        self._threads = Threads()
        self._attempts: dict[Lease, _Attempt] = {}
        self._outcomes: list[Outcome] = []
        self._since = 0.0

    @property
    def size(self) -> int:
        """How many are at work, those included that nobody waits for any more and that cannot be stopped."""
        return len(self._attempts) + self._threads.abandoned

    @property
    def is_at_work(self) -> bool:
        """Something has still to end that was told to stop."""
        return bool(self._attempts)

    @property
    def is_idle(self) -> bool:
        """Nothing is at work, and everything is acknowledged."""
        return not self._attempts and not self._outcomes

    @property
    def at_work(self) -> tuple[Lease, ...]:
        return tuple(lease for lease, attempt in self._attempts.items() if attempt.is_ours)

    @property
    def held(self) -> frozenset[tuple[int, int]]:
        """Id and epoch of everything that is at work or not acknowledged."""
        return frozenset((lease.id, lease.epoch) for lease in (*self.at_work, *(o.lease for o in self._outcomes)))

    def start(self, handler: Handler, lease: Lease) -> None:
        context = JobContext(lease)
        task = asyncio.create_task(perform(handler, lease, context, self._threads, self._around))
        self._attempts[lease] = _Attempt(context, task, handler.is_coroutine)
        task.add_done_callback(lambda done: self._over(lease, done))

    def ripe(self, batch: int, linger_seconds: float) -> tuple[Outcome, ...]:
        """The outcomes, once there are enough of them, or one has waited long enough, or nothing else is at work."""
        waited = time.monotonic() - self._since
        if self._outcomes and (len(self._outcomes) >= batch or waited >= linger_seconds or not self._attempts):
            return tuple(self._outcomes[:batch])
        return ()

    def seconds_to_ripe(self, linger_seconds: float) -> float | None:
        """Until when `ripe` has something to say though nothing happens; None: for ever."""
        return max(0.0, self._since + linger_seconds - time.monotonic()) if self._outcomes else None

    def acknowledged(self, outcomes: Collection[Outcome]) -> None:
        gone = {(outcome.lease.id, outcome.lease.epoch) for outcome in outcomes}
        self._outcomes = [o for o in self._outcomes if (o.lease.id, o.lease.epoch) not in gone]
        self._since = time.monotonic()

    def cancel(self, jobs: Iterable[int]) -> None:
        """Somebody cancelled these jobs: stop them; what they come to is told all the same."""
        wanted = set(jobs)
        for lease, attempt in self._attempts.items():
            if lease.id in wanted:
                self._stop(attempt)

    def disown(self, leases: Collection[tuple[int, int]]) -> None:
        """These are not ours any more: stop them, and forget what they came to."""
        for lease, attempt in self._attempts.items():
            if (lease.id, lease.epoch) in leases:
                attempt.is_ours = False
                self._stop(attempt)
        self._outcomes = [o for o in self._outcomes if (o.lease.id, o.lease.epoch) not in leases]

    def told(self) -> list[tuple[Lease, str]]:
        """Progress since the last time, as JSON text; what is not JSON is not told."""
        found = []
        for lease, attempt in self._attempts.items():
            for value in attempt.context.take_progress():
                try:
                    found.append((lease, encoded(value)))
                except PayloadError:
                    continue
        return found

    def _stop(self, attempt: _Attempt) -> None:
        if not attempt.context.cancelled:
            attempt.context.cancel()
            if attempt.is_coroutine:
                attempt.task.cancel()

    def _over(self, lease: Lease, done: asyncio.Task[Outcome]) -> None:
        attempt = self._attempts.pop(lease)
        if attempt.is_ours:
            if not self._outcomes:
                self._since = time.monotonic()
            outcome = failed(lease, asyncio.CancelledError("cancelled")) if done.cancelled() else done.result()
            self._outcomes.append(outcome)
        self._ended()
