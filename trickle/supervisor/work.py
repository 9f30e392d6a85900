"""The jobs of an instance from start to answer: what is in hand, what came of it, when to try again."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping

from trickle.clock import Clock
from trickle.db.retry import Kind, kind_of, retry_seconds
from trickle.logs import event
from trickle.scheduler.book import Book, Plan
from trickle.scheduler.memory import Moment
from trickle.scheduler.order import Due
from trickle.supervisor.crew import Crew
from trickle.supervisor.fleet import Lost
from trickle.supervisor.journal import Journal
from trickle.supervisor.options import WorkerOptions
from trickle.supervisor.pruning import Buffer, Pruner
from trickle.supervisor.report import Reporter
from trickle.worker.protocol import Compile, Done, Failed, Job, Part, Prune, Refresh, RefreshTogether, Restore, Survey

log = logging.getLogger(__name__)

# A subprocess that dies may be the victim of anything. Only when the same stream table is in hand again and
# again is the death counted as that table's failure.
DEATHS_BEFORE_BLAME = 5
# The server ends a refresh at its own limit first; the process is ended only if that did not help.
GRACE_SECONDS = 15.0
# What was held back is not tried again before the catalog had time to say why.
HELD_SECONDS = 1.0
COMPILE_SECONDS = 300.0


class Work:
    """Hands jobs to the crew and keeps the book about them."""

    def __init__(self, options: WorkerOptions, crew: Crew, book: Book, reporter: Reporter, clock: Clock) -> None:
        self._options = options
        self._crew = crew
        self._book = book
        self._reporter = reporter
        self._clock = clock
        self.journal = Journal()
        self.most_turns = 100
        self._pruner = Pruner(options.prune_seconds)
        self._in_hand: dict[int, str] = {}
        self._deaths: dict[int, int] = {}

    @property
    def claims_in_hand(self) -> frozenset[str]:
        """The claims under which a child works at this moment."""
        return frozenset(self._in_hand.values())

    @property
    def is_repairing(self) -> bool:
        return any(isinstance(job, Restore) for job in self._crew.jobs)

    def start(self, plan: Plan, moment: Moment, claim_of: Mapping[str, str], room: int) -> None:
        """Give so many jobs of a plan to idle children, in order, until none is idle."""
        for pgt_id in plan.compile[:room]:
            if not self._start(Compile(pgt_id), COMPILE_SECONDS, claim_of):
                return
            self._book.started_compiling(pgt_id, moment.monotonic)
        for due in plan.refresh[: max(0, room - len(plan.compile))]:
            job = job_of(due, self.most_turns)
            if not self._start(job, self._options.refresh_seconds * len(due.members), claim_of):
                return
            attempt = max(map(self._book.failures, due.members)) + 1
            self.journal.started(due, attempt, self._crew.backend_pid(job), moment.database)
            self._book.started(due.members, moment)

    def prune(self, buffers: list[Buffer], now: float, room_for: Callable[[int], int]) -> bool:
        """Start pruning where it is worth it; False when there was no room for any.

        One child is always left for refreshes, which matter more.
        """
        spare = 1 if self._options.children > 1 else 0
        by_source = {buffer.source_id: buffer for buffer in buffers}
        due = self._pruner.due(buffers, now)
        room = room_for(len(due)) if due else 0
        for source_id in due[:room]:
            if self._crew.idle <= spare:
                break
            if self._crew.offer(Prune(source_id), self._options.refresh_seconds + GRACE_SECONDS):
                self._pruner.started(by_source[source_id], now)
        return room > 0 or not due

    def survey(self) -> bool:
        """Have somebody look around; False when all children are needed for refreshes."""
        spare = 1 if self._options.children > 1 else 0
        return self._crew.idle > spare and self._crew.offer(Survey(), self._options.refresh_seconds + GRACE_SECONDS)

    def repair(self) -> bool:
        """Have the catalog repaired; False when no child is free."""
        return self._crew.offer(Restore(), COMPILE_SECONDS + GRACE_SECONDS)

    def let_go(self, job: Job) -> frozenset[str]:
        """A job is over; the claims that are no longer in hand."""
        claims = {self._in_hand.pop(pgt_id, None) for pgt_id in tables_of(job)}
        return frozenset(claim for claim in claims if claim is not None) - self.claims_in_hand

    def done(self, answer: Done) -> frozenset[int]:
        """A job succeeded; the stream tables that have something to do because of it."""
        match answer.job:
            case Refresh(pgt_id=pgt_id):
                return self._refreshed((Part(pgt_id, answer.outcome, answer.seconds),))
            case RefreshTogether(members=members):
                awakened = self._refreshed(answer.parts)
                for pgt_id in set(members).difference(part.pgt_id for part in answer.parts):
                    self._book.dropped(pgt_id)
                return awakened
            case Compile(pgt_id=pgt_id):
                self._deaths.pop(pgt_id, None)
                self._book.compiled(pgt_id, answer.outcome.action)
                outcome = answer.outcome
                self._tell(logging.INFO, "compiled", pgt_id, state=outcome.action, reason=outcome.reason)
            case Prune(source_id=source_id):
                self._pruner.finished(source_id, answer.outcome.rows_deleted)
            case Restore():
                event(log, logging.WARNING, "the catalog was repaired: every stream table is refreshed in full")
        return frozenset()

    def failed(self, answer: Failed) -> frozenset[int]:
        """A job raised; what is tried again, and when, depends on the job and on the failure.

        Of a unit some members may be done all the same; the stream tables that have something to do because of these.
        """
        fields = {"sqlstate": answer.sqlstate, "error": answer.message}
        match answer.job:
            case Refresh(pgt_id=pgt_id):
                self._failed(answer, (pgt_id,), pgt_id)
            case RefreshTogether(members=members):
                awakened = self._refreshed(answer.parts)
                done = {part.pgt_id for part in answer.parts}
                self._failed(answer, tuple(i for i in members if i not in done), answer.blamed)
                return awakened
            case Compile(pgt_id=pgt_id):
                # It is refreshed in full meanwhile; the book knows when to try again.
                self._book.dropped(pgt_id)
                self._tell(logging.ERROR, "compilation failed", pgt_id, **fields)
            case Prune(source_id=source_id):
                self._pruner.failed(source_id)
                event(log, logging.WARNING, "pruning failed", source=source_id, **fields)
            case Survey():
                event(log, logging.WARNING, "the survey failed", **fields)
            case Restore():
                event(log, logging.ERROR, "the catalog could not be repaired", **fields)
        return frozenset()

    def lost(self, lost: Lost) -> int:
        """A child went with a job in hand; how many deaths in a row count against its stream tables.

        The job's transaction is rolled back or committed, whole either way.
        """
        job = lost.job
        event(log, logging.WARNING, "a job was lost with its subprocess", job=words(job), exit_code=lost.code)
        if isinstance(job, Prune):
            self._pruner.failed(job.source_id)
        tables = tables_of(job)
        if not tables:
            return 0
        deaths = self._deaths[tables[0]] = self._deaths.get(tables[0], 0) + 1
        retry_at = self._clock.monotonic() + retry_seconds(Kind.CONNECTION, deaths, random.random())
        for pgt_id in tables:
            self._book.failed(pgt_id, retry_at)
        return deaths if deaths >= DEATHS_BEFORE_BLAME and isinstance(job, Refresh | RefreshTogether) else 0

    def doubt(self, job: Job) -> frozenset[int]:
        """What reads the stream tables of a job of which nobody knows whether it was committed."""
        downstream = self._book.division.graph.downstream
        readers = frozenset().union(*(downstream.get(pgt_id, ()) for pgt_id in tables_of(job)))
        self._book.noticed(readers)
        return readers

    def _start(
        self, job: Refresh | RefreshTogether | Compile, limit_seconds: float, claim_of: Mapping[str, str]
    ) -> bool:
        if not self._crew.offer(job, limit_seconds + GRACE_SECONDS, home=job.pgt_id):
            return False
        for pgt_id in tables_of(job):
            self._in_hand[pgt_id] = claim_of[self._book.tables[pgt_id].full_name]
        return True

    def _failed(self, answer: Failed, members: tuple[int, ...], blamed: int | None) -> None:
        """None of these was refreshed: all of them wait for the next attempt, whoever is to blame."""
        kind = Kind.CONNECTION if answer.connection_lost else kind_of(answer.sqlstate)
        attempt = max(self._book.failures(i) for i in members) + 1
        pause = retry_seconds(kind, attempt, random.random())
        for pgt_id in members:
            self._book.failed(pgt_id, self._clock.monotonic() + pause)
        fields = {"sqlstate": answer.sqlstate, "error": answer.message, "retry_seconds": round(pause, 1)}
        named = blamed if blamed is not None else members[0]
        if len(members) > 1:
            fields["undone"] = len(members)
        self._tell(logging.ERROR, "refresh failed", named, **fields)
        table = self._book.tables.get(named)
        if table is not None:
            self._reporter.failed(table)

    def _refreshed(self, parts: Iterable[Part]) -> frozenset[int]:
        every = {part.pgt_id: part for part in parts}
        done = {pgt_id: part for pgt_id, part in every.items() if part.outcome.action != "SKIPPED"}
        for pgt_id in every.keys() - done.keys():
            reason = every[pgt_id].outcome.reason
            self._book.skipped(pgt_id, reason, self._clock.monotonic() + HELD_SECONDS)
            self._tell(logging.INFO, "refresh held back", pgt_id, reason=reason)
        awakened = self._book.refreshed(
            {pgt_id: part.outcome.rows_changed for pgt_id, part in done.items()},
            self._clock.monotonic(),
            {pgt_id: part.seconds for pgt_id, part in done.items()},
        )
        for pgt_id, part in done.items():
            self._deaths.pop(pgt_id, None)
            table = self._book.tables.get(pgt_id)
            if table is not None:
                self._reporter.refreshed(table, part.outcome, part.seconds)
            self._tell_refreshed(part)
        return awakened

    def _tell_refreshed(self, part: Part) -> None:
        outcome = part.outcome
        self._tell(
            logging.DEBUG if outcome.action == "NO_DATA" else logging.INFO,
            "refreshed",
            part.pgt_id,
            action=outcome.action,
            inserted=outcome.rows_inserted,
            updated=outcome.rows_updated,
            deleted=outcome.rows_deleted,
            ms=round(part.seconds * 1000, 1),
            reason=outcome.reason,
        )

    def _tell(self, level: int, message: str, pgt_id: int, **fields: object) -> None:
        table = self._book.tables.get(pgt_id)
        given = {name: value for name, value in fields.items() if value is not None}
        event(log, level, message, table=table.full_name if table else pgt_id, **given)


def job_of(due: Due, most_turns: int) -> Refresh | RefreshTogether:
    """What a child is told to do for a unit."""
    unit = due.unit
    if len(due.members) == 1 and not unit.cycles:
        return Refresh(due.members[0])
    part = frozenset(due.members)
    return RefreshTogether(
        due.members,
        tuple(ring for ring in unit.cycles if part.issuperset(ring)),
        unit.has_one_snapshot,
        unit.is_all_or_none,
        most_turns,
    )


def tables_of(job: Job) -> tuple[int, ...]:
    """The stream tables that a job is about."""
    match job:
        case RefreshTogether(members=members):
            return members
        case Refresh(pgt_id=pgt_id) | Compile(pgt_id=pgt_id):
            return (pgt_id,)
        case _:
            return ()


def words(job: Job) -> str:
    """`refresh 7`: a job as a log line names it."""
    numbers: Iterable[str] = (str(getattr(job, name)) for name in getattr(job, "__slots__", ()))
    return " ".join((type(job).__name__.lower(), *numbers))
