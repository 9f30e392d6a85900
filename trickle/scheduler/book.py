"""The scheduler's memory between two looks: what runs, what failed, what waits, and since when.

Fed with observations, asked for a `Plan`. It holds no clock and no connection; both moments, the database's
`now` for schedules and monotonic seconds for waiting, come in with every call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from trickle.scheduler import graph, order
from trickle.scheduler.agenda import Agenda
from trickle.scheduler.due import Policy, Verdict, judge, needs_compiling, next_time
from trickle.scheduler.table import Table

# A program that could not be made is not tried at every tick, unless the catalog says something new about it.
COMPILE_RETRY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks."""

    database: datetime
    monotonic: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now: programs to make, tables to refresh in this order, tables to mark as looked at."""

    compile: tuple[int, ...] = ()
    refresh: tuple[int, ...] = ()
    touch: tuple[int, ...] = ()


@dataclass(slots=True)
class _Trouble:
    """Failures in a row, and when the next attempt is allowed."""

    count: int
    not_before: float


class Book:
    """All stream tables of one database, as one instance sees them."""

    def __init__(self, compiler_version: str = "", policy: Policy | None = None) -> None:
        self.compiler_version = compiler_version
        self._policy = policy or Policy()
        self._tables: dict[int, Table] = {}
        self._agenda = Agenda()
        self.graph = graph.build({})
        self._changed: set[int] = set()
        self._changed_again: set[int] = set()
        self._running: set[int] = set()
        self._compiling: set[int] = set()
        self._due_since: dict[int, float] = {}
        self._started_at: dict[int, datetime] = {}
        self._looked_at: dict[int, datetime] = {}
        self._finished_at: dict[int, float] = {}
        self._trouble: dict[int, _Trouble] = {}
        self._compile_at: dict[int, tuple[tuple[object, ...], float]] = {}
        self._checked_at: dict[int, float] = {}
        self._skipped: dict[int, str | None] = {}

    @property
    def tables(self) -> Mapping[int, Table]:
        return self._tables

    @property
    def policy(self) -> Policy:
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        if policy != self._policy:
            self._policy = policy
            self._agenda.wake(self._tables)

    @property
    def running(self) -> frozenset[int]:
        return frozenset(self._running)

    @property
    def changed(self) -> frozenset[int]:
        """The stream tables that are known to have something to take from their sources."""
        return frozenset(self._changed)

    @property
    def due(self) -> frozenset[int]:
        """The stream tables that are to be refreshed as soon as their turn comes."""
        return frozenset(self._due_since)

    def read(self, tables: Iterable[Table]) -> None:
        """The catalog as it stands now; what no longer exists is forgotten."""
        before, self._tables = self._tables, {table.pgt_id: table for table in tables}
        self._agenda.wake(pgt_id for pgt_id, table in self._tables.items() if before.get(pgt_id) != table)
        self.graph = graph.build({table.pgt_id: table.upstream for table in self.tables.values()})
        for memory in (
            self._due_since,
            self._started_at,
            self._looked_at,
            self._finished_at,
            self._trouble,
            self._compile_at,
            self._checked_at,
            self._skipped,
        ):
            for gone in memory.keys() - self.tables.keys():
                del memory[gone]
        self._changed &= self.tables.keys()
        self._changed_again &= self.tables.keys()

    def polled(self, changed: Collection[int], asked: Iterable[int], at: float) -> None:
        """The answer of a look at the change buffers and the sources of those that it was asked about.

        It serves as a check, but for the first one: nobody knows when the last refresh before us was.
        """
        for pgt_id in asked:
            if pgt_id in self._checked_at:
                self._checked_at[pgt_id] = at
            if pgt_id not in changed and pgt_id not in self._running:
                self._changed.discard(pgt_id)
        self.noticed(changed)

    def noticed(self, changed: Iterable[int]) -> None:
        """These have something to take from their sources. One that runs may have looked too early for that."""
        for pgt_id in changed:
            if pgt_id in self._running:
                self._changed_again.add(pgt_id)
            elif pgt_id in self._tables and pgt_id not in self._changed:
                self._changed.add(pgt_id)
                self._agenda.wake([pgt_id])

    def started(self, pgt_id: int, moment: Moment) -> None:
        """A refresh is under way."""
        self._running.add(pgt_id)
        self._started_at[pgt_id] = moment.database

    def started_compiling(self, pgt_id: int, at: float) -> None:
        """A program is being made."""
        self._running.add(pgt_id)
        self._compiling.add(pgt_id)
        table = self.tables.get(pgt_id)
        if table is not None:
            self._compile_at[pgt_id] = (_program_facts(table), at)

    def refreshed(self, pgt_id: int, rows_changed: int, at: float) -> frozenset[int]:
        """A refresh is done; the stream tables that have something to do because of it."""
        self._changed.discard(pgt_id)
        self._over(pgt_id)
        self._due_since.pop(pgt_id, None)
        self._trouble.pop(pgt_id, None)
        self._finished_at[pgt_id] = self._checked_at[pgt_id] = at
        # Counted from its start, so that a period means "every so often", not "so long after the last one
        # ended".
        if pgt_id in self._started_at:
            self._looked_at[pgt_id] = self._started_at.pop(pgt_id)
        table = self.tables.get(pgt_id)
        if table is not None and (not table.is_populated or table.needs_reinit):
            self._tables[pgt_id] = replace(table, is_populated=True, needs_reinit=False)
        if rows_changed <= 0:
            return frozenset()
        awakened = self.graph.downstream.get(pgt_id, frozenset())
        self.noticed(awakened)
        return awakened

    def compiled(self, pgt_id: int, state: str) -> None:
        """A program is made, or it is known that there is none to be had."""
        self.dropped(pgt_id)
        table = self.tables.get(pgt_id)
        if table is not None:
            version = self.compiler_version or table.program_version
            self._tables[pgt_id] = replace(table, program_state=state, program_version=version)

    def failed(self, pgt_id: int, retry_at: float) -> None:
        """An attempt failed; nothing is tried with this table before `retry_at`."""
        self.dropped(pgt_id)
        self._due_since.pop(pgt_id, None)
        self._trouble[pgt_id] = _Trouble(self.failures(pgt_id) + 1, retry_at)

    def skipped(self, pgt_id: int, reason: str | None) -> None:
        """The refresh was held back, and has said so; the table is left alone until the reason is another one."""
        self.dropped(pgt_id)
        self._due_since.pop(pgt_id, None)
        self._skipped[pgt_id] = reason

    def dropped(self, pgt_id: int) -> None:
        """The attempt is over and changed nothing: the table is as it was."""
        self._over(pgt_id)
        self._compiling.discard(pgt_id)
        self._started_at.pop(pgt_id, None)

    def failures(self, pgt_id: int) -> int:
        trouble = self._trouble.get(pgt_id)
        return trouble.count if trouble else 0

    def touched(self, pgt_ids: Iterable[int], moment: Moment) -> None:
        """These were due and had nothing to do."""
        for pgt_id in pgt_ids:
            self._looked_at[pgt_id] = moment.database
            self._due_since.pop(pgt_id, None)

    def plan(self, owned: frozenset[int], moment: Moment) -> Plan:
        """What to do now with the stream tables that are ours. Its cost grows with what happens, not with `owned`."""
        compiling: set[int] = set()
        due: list[Table] = []
        touch: list[int] = []
        for pgt_id in self._agenda.due(owned, moment.monotonic):
            table = self._tables.get(pgt_id)
            if table is None or not self._is_free(pgt_id, moment.monotonic):
                self._agenda.sleep(pgt_id, self._free_at(pgt_id))
            elif self._should_compile(table, moment.monotonic):
                compiling.add(pgt_id)
            else:
                match self._judge(table, moment):
                    case Verdict.REFRESH:
                        due.append(table)
                        self._due_since.setdefault(pgt_id, moment.monotonic)
                    case Verdict.TOUCH:
                        touch.append(pgt_id)
                    case Verdict.WAIT:
                        self._agenda.sleep(pgt_id, self._look_again_at(table, moment))
        waiting = order.Waiting(self._due_since, self._finished_at, self.running)
        return Plan(
            compile=self._compile_order(compiling),
            refresh=tuple(t.pgt_id for t in order.ready(due, self.graph, waiting, moment.monotonic)),
            touch=tuple(touch),
        )

    def _over(self, pgt_id: int) -> None:
        """It runs no longer. What it was told meanwhile it may not have seen."""
        self._running.discard(pgt_id)
        if pgt_id in self._changed_again:
            self._changed_again.discard(pgt_id)
            self._changed.add(pgt_id)
        self._agenda.wake([pgt_id])

    def _free_at(self, pgt_id: int) -> float:
        """When it may be tried again; nobody knows when one that runs will have finished, and then it is woken."""
        trouble = self._trouble.get(pgt_id)
        return trouble.not_before if trouble is not None and pgt_id not in self._running else float("inf")

    def _look_again_at(self, table: Table, moment: Moment) -> float:
        """When one that waits may have something to do although nothing happens to it."""
        moments = [self._checked_at.get(table.pgt_id, moment.monotonic) + self.policy.check_seconds]
        upcoming = next_time(self._as_known(table), self.policy)
        if upcoming is not None:
            moments.append(moment.monotonic + max(0.0, (upcoming - moment.database).total_seconds()))
        if needs_compiling(table, self.compiler_version):
            moments.append(self._compile_at[table.pgt_id][1] + COMPILE_RETRY_SECONDS)
        return min(moments)

    def _compile_order(self, wanted: set[int]) -> tuple[int, ...]:
        """Upstream first: a program may change its table's columns, and whoever reads it would be stale at once."""
        blocking = wanted | self._compiling
        free = [pgt_id for pgt_id in wanted if not self.graph.ancestors(pgt_id) & blocking]
        return tuple(sorted(free, key=lambda pgt_id: (self.graph.level[pgt_id], pgt_id)))

    def _is_free(self, pgt_id: int, now: float) -> bool:
        trouble = self._trouble.get(pgt_id)
        return pgt_id not in self._running and (trouble is None or now >= trouble.not_before)

    def _should_compile(self, table: Table, now: float) -> bool:
        if not needs_compiling(table, self.compiler_version):
            return False
        facts, tried_at = self._compile_at.get(table.pgt_id, ((), -COMPILE_RETRY_SECONDS))
        return facts != _program_facts(table) or now - tried_at >= COMPILE_RETRY_SECONDS

    def _judge(self, table: Table, moment: Moment) -> Verdict:
        if table.held is not None and self._skipped.get(table.pgt_id) == table.held:
            return Verdict.WAIT
        # The first look at a table that became ours is a check as well: nobody knows when the last one was.
        checked_at = self._checked_at.get(table.pgt_id, float("-inf"))
        needs_check = moment.monotonic - checked_at >= self.policy.check_seconds
        has_changes = table.pgt_id in self._changed or needs_check
        return judge(self._as_known(table), has_changes, moment.database, self.policy)

    def _as_known(self, table: Table) -> Table:
        """The catalog row, with the moment we know better: our own last look at the table."""
        looked_at = self._looked_at.get(table.pgt_id)
        return table if looked_at is None else replace(table, last_refresh_at=looked_at)


def _program_facts(table: Table) -> tuple[object, ...]:
    return (table.program_state, table.program_version, table.refresh_mode)
