"""What a handler is told of its attempt, and may tell."""

from __future__ import annotations

from typing import Any

from trickle.jobs.protocol import Lease


class GiveUp(Exception):
    """Raised by a handler when no further attempt would help: the job fails at once."""


class JobContext:
    """One attempt, as its handler sees it; may be used from the handler's thread."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._is_cancelled = False
        self._progress: tuple[Any, ...] = ()

    @property
    def id(self) -> int:
        """The job's id, the same in every attempt: a good key for what must happen once."""
        return self._lease.id

    @property
    def queue(self) -> str:
        return self._lease.queue

    @property
    def data(self) -> object:
        """The payload as JSON has it."""
        return self._lease.data

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self._lease.attempt

    @property
    def is_last_attempt(self) -> bool:
        return self._lease.attempt >= self._lease.attempts

    @property
    def cancelled(self) -> bool:
        """Whether the handler should stop: somebody cancelled the job, its time is over, or the lease is lost.

        A coroutine is cancelled by itself. A function in a thread cannot be, and has to look.
        """
        return self._is_cancelled

    def progress(self, value: Any) -> None:
        """Tell how far it is, in anything JSON can hold; shown by pgtrickle.job_status within about a second."""
        self._progress = (value,)

    def cancel(self) -> None:
        """The runner wants it to stop."""
        self._is_cancelled = True

    def take_progress(self) -> tuple[Any, ...]:
        """What was told since the last time: nothing, or the latest."""
        told, self._progress = self._progress, ()
        return told
