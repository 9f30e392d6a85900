"""What follows from the end of a job: for the table of jobs, for the stream tables that read its own, for claims.

    done, failed, lost ──▶ work ──▶ readers that have something to do ──ours──▶ book
                             │                     └──others'──▶ a word, the next time we ring
                             └──▶ claims that are no longer ours go back, and everybody is rung

Nobody knows whether a job was committed whose session was lost: its readers look for themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from trickle.db.locks import REPAIR_GROUP, REPAIR_NAME, LockName
from trickle.db.retry import Kind, kind_of
from trickle.sql import load
from trickle.supervisor.chores import Chores
from trickle.supervisor.discovery import Discovery
from trickle.supervisor.fleet import Lost
from trickle.supervisor.holdings import Holdings
from trickle.supervisor.link import ServerLink, is_lost
from trickle.supervisor.membership import Membership
from trickle.supervisor.wake import DUE, Wake
from trickle.supervisor.work import Work, tables_of
from trickle.worker.protocol import Done, Failed, Job, Restore

REPAIR = LockName(REPAIR_GROUP, REPAIR_NAME)
# A notification has room for less than 8000 bytes.
_NUMBERS_IN_A_WORD = 300


class Outcomes:
    """Of the jobs of one instance; `owned` says which stream tables are ours."""

    def __init__(
        self,
        link: ServerLink,
        membership: Membership,
        work: Work,
        holdings: Holdings,
        wake: Wake,
        chores: Chores,
        discovery: Discovery,
        owned: Callable[[], Collection[int]],
    ) -> None:
        self._link = link
        self._membership = membership
        self._work = work
        self._holdings = holdings
        self._wake = wake
        self._chores = chores
        self._discovery = discovery
        self._owned = owned
        self._has_given_up = False
        self._due_elsewhere: set[int] = set()

    def answered(self, answer: Done | Failed) -> None:
        """A child finished a job, well or badly."""
        self._note(answer)
        awakened = self._work.done(answer) if isinstance(answer, Done) else self._work.failed(answer)
        self._due_elsewhere |= awakened.difference(self._owned())
        if isinstance(answer, Failed) and answer.connection_lost:
            self._doubt_readers(answer.job)
        self._let_go(answer.job)

    def lost(self, lost: Lost) -> None:
        """A child went with a job in hand."""
        now = self._discovery.moment().database
        for first in tables_of(lost.job)[:1]:
            self._work.journal.failed(first, "its subprocess ended", True, now)
        deaths = self._work.lost(lost)
        self._doubt_readers(lost.job)
        self._let_go(lost.job)
        control = self._link.control
        if not deaths or control is None or is_lost(control):
            return
        for pgt_id in tables_of(lost.job):
            parameters = {
                "pgt_id": pgt_id,
                "started": now,
                "code": "58000",
                "message": f"the refresh subprocess died {deaths} times in a row with it in hand",
                "initiated_by": "SCHEDULER",
            }
            control.execute(load("queries/worker_record_failure"), parameters)

    def gave_up(self) -> None:
        """Claims went back: the others are to know."""
        self._has_given_up = True

    def ring(self) -> None:
        """Wake the others once: claims were given up, or a stream table that one of them owns has something to do."""
        control = self._link.control
        if control is None or is_lost(control):
            return
        if self._has_given_up:
            self._has_given_up = False
            self._membership.ring()
        if self._due_elsewhere:
            due, self._due_elsewhere = sorted(self._due_elsewhere), set()
            for start in range(0, len(due), _NUMBERS_IN_A_WORD):
                numbers = map(str, due[start : start + _NUMBERS_IN_A_WORD])
                control.execute(load("queries/instance_ring"), {"payload": " ".join([DUE, *numbers])})

    def _note(self, answer: Done | Failed) -> None:
        """What became of a unit, for the table of jobs."""
        journal, now = self._work.journal, self._discovery.moment().database
        for first in tables_of(answer.job)[:1]:
            if isinstance(answer, Done):
                journal.succeeded(first, answer.outcome.action == "NO_DATA", now)
            else:
                passes = answer.connection_lost or kind_of(answer.sqlstate) is not Kind.DEFINITE
                journal.failed(first, answer.message, passes, now)

    def _doubt_readers(self, job: Job) -> None:
        """Nobody knows whether it was committed: then what reads it has something to do, and nobody else would tell."""
        self._due_elsewhere |= self._work.doubt(job).difference(self._owned())

    def _let_go(self, job: Job) -> None:
        """A job is over: a claim that is no longer ours can go now."""
        for pgt_id in tables_of(job):
            self._wake.finished(pgt_id)
        self._chores.worked_on(tables_of(job))
        released = self._work.let_go(job) - self._holdings.mine
        if self._link.locks is None:
            return
        if isinstance(job, Restore):
            self._link.locks.release([REPAIR])
            self._discovery.read_soon()
        elif released:
            self._holdings.give_back(released)
            self._has_given_up = True
