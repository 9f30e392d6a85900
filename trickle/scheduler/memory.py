"""The scheduler's memory: what runs, what failed, what waits, and since when.

    the catalog ──read──▶ ┐
    sources ──noticed──▶  ├──▶ memory ──▶ book: what to do now
    workers ──started, refreshed, failed, skipped, dropped──▶ ┘

It holds no clock and no connection; both moments, the database's `now` for schedules and monotonic seconds for waiting,
come in with every call. Whatever happens to a stream table puts it on the agenda; what is quiet costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from trickle.scheduler.agenda import Agenda
from trickle.scheduler.attempts import Attempts
from trickle.scheduler.due import Policy, period_seconds
from trickle.scheduler.pace import Pace
from trickle.scheduler.table import Table
from trickle.scheduler.units import divide


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks."""

    database: datetime
    monotonic: float


class Memory:
    """All stream tables of one database, as one instance sees them."""

    def __init__(self, compiler_version: str = "", policy: Policy | None = None) -> None:
        self.compiler_version = compiler_version
        self._tables: dict[int, Table] = {}
        self.division = divide({})
        self._policy = policy or Policy()
        self._owned: frozenset[int] = frozenset()
        self._agenda = Agenda()
        self._changed: set[int] = set()
        self._changed_again: set[int] = set()
        self._running: set[int] = set()
        self._compiling: set[int] = set()
        self._started_at: dict[int, datetime] = {}
        self._looked_at: dict[int, datetime] = {}
        self._attempts = Attempts()
        self._checked_at: dict[int, float] = {}
        self._pace = Pace()
        # By unit.
        self._due_since: dict[int, float] = {}
        self._finished_at: dict[int, float] = {}
        self._served: set[int] = set()

    @property
    def tables(self) -> Mapping[int, Table]:
        return self._tables

    @property
    def running(self) -> frozenset[int]:
        return frozenset(self._running)

    @property
    def changed(self) -> frozenset[int]:
        """The stream tables that are known to have something to take from their sources."""
        return frozenset(self._changed)

    @property
    def policy(self) -> Policy:
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        if policy != self._policy:
            has_new_units = policy.fuses_chains != self._policy.fuses_chains
            self._policy = policy
            if has_new_units:
                self.division = divide(self._tables, policy.fuses_chains)
            self._agenda.wake(self._tables)

    def read(self, tables: Iterable[Table]) -> None:
        """The catalog as it stands now; what no longer exists is forgotten."""
        before, self._tables = self._tables, {table.pgt_id: table for table in tables}
        self._agenda.wake(pgt_id for pgt_id, table in self._tables.items() if before.get(pgt_id) != table)
        if {i: _place(table) for i, table in before.items()} != {i: _place(t) for i, t in self._tables.items()}:
            self.division = divide(self._tables, self._policy.fuses_chains)
        by_table = (self._started_at, self._looked_at, self._checked_at)
        for memory in (*by_table, self._due_since, self._finished_at):
            for gone in memory.keys() - self.tables.keys():
                del memory[gone]
        self._agenda.wake(self._attempts.read(self._tables))
        self._changed &= self.tables.keys()
        self._changed_again &= self.tables.keys()
        self._served &= self.division.by_key.keys()

    def polled(self, changed: Collection[int], asked: Collection[int], at: float) -> None:
        """The answer of a look at the change buffers and the sources of those that it was asked about.

        Of one that may not be refreshed now it says nothing: what was noticed stays for the time when it may.
        """
        for pgt_id in asked:
            table = self._tables.get(pgt_id)
            if table is not None and table.is_runnable:
                self._checked_at[pgt_id] = at
                if pgt_id not in changed and pgt_id not in self._running:
                    self._changed.discard(pgt_id)
        self.noticed(changed)

    def checked(self, pgt_ids: Iterable[int], at: float) -> None:
        """These were asked whether they or their sources are altered, which is what a check is for.

        Not of the first check, which is for changes too: nobody knows when the last one before us was.
        """
        for pgt_id in pgt_ids:
            if pgt_id in self._checked_at:
                self._checked_at[pgt_id] = at

    def noticed(self, changed: Iterable[int]) -> None:
        """These have something to take from their sources. One that runs may have looked too early for that."""
        for pgt_id in changed:
            if pgt_id in self._running:
                self._changed_again.add(pgt_id)
            elif pgt_id in self._tables and pgt_id not in self._changed:
                self._changed.add(pgt_id)
                self._agenda.wake([pgt_id])

    def started(self, pgt_ids: Iterable[int], moment: Moment) -> None:
        """A refresh of these, which are of one unit, is under way."""
        for pgt_id in pgt_ids:
            self._running.add(pgt_id)
            self._started_at[pgt_id] = moment.database
            self._served.add(self.division.of[pgt_id].key)

    def started_compiling(self, pgt_id: int, at: float) -> None:
        """A program is being made."""
        self._running.add(pgt_id)
        self._compiling.add(pgt_id)
        table = self.tables.get(pgt_id)
        if table is not None:
            self._attempts.compiling(table, at)

    def refreshed(
        self, rows_changed: Mapping[int, int], at: float, seconds: Mapping[int, float] = MappingProxyType({})
    ) -> frozenset[int]:
        """A refresh of these is done, and took so long; the others that have something to do because of it."""
        awakened: set[int] = set()
        for pgt_id, rows in rows_changed.items():
            self._measure(pgt_id, seconds.get(pgt_id, 0.0), at)
            self._end(pgt_id, at)
            if rows > 0:
                awakened |= self.division.graph.downstream.get(pgt_id, frozenset())
        awakened -= rows_changed.keys()
        self.noticed(awakened)
        return frozenset(awakened)

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
        self._due_since.pop(self._key(pgt_id), None)
        self._attempts.failed(pgt_id, retry_at)

    def skipped(self, pgt_id: int, reason: str | None, again_at: float) -> None:
        """The refresh was held back, and has said so; the table is left alone until the reason is another one.

        The catalog as it was read may not show the reason yet: nothing is tried before `again_at`.
        """
        self.failed(pgt_id, again_at)
        self._attempts.held_back(pgt_id, reason, again_at)

    def dropped(self, pgt_id: int) -> None:
        """The attempt is over and changed nothing: the table is as it was."""
        self._over(pgt_id)
        self._compiling.discard(pgt_id)
        self._started_at.pop(pgt_id, None)

    def failures(self, pgt_id: int) -> int:
        """How often in a row an attempt has failed."""
        return self._attempts.failures(pgt_id)

    def touched(self, pgt_ids: Iterable[int], moment: Moment) -> None:
        """These were due and had nothing to do."""
        for pgt_id in pgt_ids:
            self._looked_at[pgt_id] = moment.database

    def _measure(self, pgt_id: int, seconds: float, at: float) -> None:
        table = self.tables.get(pgt_id)
        self._pace.refreshed(pgt_id, seconds, None if table is None else period_seconds(table, self._policy))
        if pgt_id in self._changed_again:
            # Nobody knows when, but it was while this refresh ran.
            self._pace.changed(pgt_id, at - seconds)

    def _over(self, pgt_id: int) -> None:
        """It runs no longer. What it was told meanwhile it may not have seen."""
        self._running.discard(pgt_id)
        if pgt_id in self._changed_again:
            self._changed_again.discard(pgt_id)
            self._changed.add(pgt_id)
        self._agenda.wake([pgt_id])

    def _end(self, pgt_id: int, at: float) -> None:
        self._changed.discard(pgt_id)
        self._over(pgt_id)
        self._attempts.succeeded(pgt_id)
        self._checked_at[pgt_id] = at
        key = self._key(pgt_id)
        self._due_since.pop(key, None)
        self._finished_at[key] = at
        # Counted from its start, so that a period means "every so often", not "so long after the last one
        # ended".
        if pgt_id in self._started_at:
            self._looked_at[pgt_id] = self._started_at.pop(pgt_id)
        table = self.tables.get(pgt_id)
        if table is not None and (not table.is_populated or table.needs_reinit):
            self._tables[pgt_id] = replace(table, is_populated=True, needs_reinit=False)

    def _key(self, pgt_id: int) -> int:
        unit = self.division.of.get(pgt_id)
        return pgt_id if unit is None else unit.key


def _place(table: Table) -> tuple[object, ...]:
    """All that decides about its unit."""
    return (
        table.upstream,
        table.sources,
        type(table.schedule),
        table.refresh_mode,
        table.is_atomic,
        table.is_slowest,
        table.refresh_group,
        table.group_has_one_snapshot,
    )
