"""The scheduler's memory between two looks: what runs, what failed, what waits, and since when.

Fed with observations, asked for a `Plan`. It holds no clock and no connection; both moments, the database's
`now` for schedules and monotonic seconds for waiting, come in with every call.

A plan looks only at what something has happened to since the last one: a change, an answer, a new row of the
catalog, or a moment that was waited for (`agenda`). What is quiet costs nothing, however many stream tables there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from types import MappingProxyType

from trickle.scheduler import order
from trickle.scheduler.agenda import Agenda
from trickle.scheduler.attempts import Attempts
from trickle.scheduler.due import (
    Policy,
    Verdict,
    is_ready,
    judge,
    needs_compiling,
    period_seconds,
    takes_part,
    wakes_at,
)
from trickle.scheduler.order import Due
from trickle.scheduler.pace import Pace
from trickle.scheduler.table import TIER_RANK, Table
from trickle.scheduler.units import Unit, divide

# No stream table is asleep for longer.
LONGEST_REST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks."""

    database: datetime
    monotonic: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now: programs to make, units to refresh in this order, tables to mark as looked at."""

    compile: tuple[int, ...] = ()
    refresh: tuple[Due, ...] = ()
    touch: tuple[int, ...] = ()


class Book:
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
    def due(self) -> frozenset[int]:
        """The stream tables that are to be refreshed as soon as the turn of their unit comes."""
        units = (self.division.by_key[key] for key in self._due_since if key in self.division.by_key)
        return frozenset(pgt_id for unit in units for pgt_id in unit.members)

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
        self.checked(asked, at)
        for pgt_id in asked:
            table = self._tables.get(pgt_id)
            if pgt_id not in changed and pgt_id not in self._running and table is not None and table.is_runnable:
                self._changed.discard(pgt_id)
        self.noticed(changed)

    def checked(self, pgt_ids: Iterable[int], at: float) -> None:
        """These were asked whether they or their sources are altered, which is what a check is for.

        The first check is a refresh all the same: nobody knows when the last one before us was.
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

    def plan(self, owned: frozenset[int], moment: Moment) -> Plan:
        """What to do now with the stream tables that are ours. Its cost grows with what happens, not with `owned`."""
        now = moment.monotonic
        self._owned = owned
        wanted, units, touch = set[int](), dict[int, Unit](), list[int]()
        for pgt_id in sorted(self._agenda.due(owned, now)):
            table = self.tables.get(pgt_id)
            if table is None or not self._is_free(pgt_id, now):
                self._agenda.sleep(pgt_id, self._free_at(pgt_id))
            elif self._should_compile(table, now):
                wanted.add(table.pgt_id)
            else:
                verdict = self._judge(table, moment)
                if verdict is Verdict.REFRESH:
                    unit = self.division.of[table.pgt_id]
                    units[unit.key] = unit
                elif verdict is Verdict.TOUCH:
                    touch.append(table.pgt_id)
                else:
                    self._agenda.sleep(pgt_id, self._look_again_at(table, moment))
        due = [item for unit in units.values() if (item := self._due(unit, wanted, moment)) is not None]
        return Plan(self._compile_order(wanted), tuple(self._order(due, now)), tuple(touch))

    def left_of(self, plan: Plan, count: int, now: float) -> Plan:
        """The next so many of an earlier plan that are still to be done, at a fraction of what a new one takes."""
        compile = (i for i in plan.compile if i in self._tables and self._is_free(i, now))
        refresh = (item for item in plan.refresh if self._is_still_due(item, now))
        return Plan(tuple(islice(compile, count)), tuple(islice(refresh, count)))

    def _is_still_due(self, item: Due, now: float) -> bool:
        is_known = item.unit.key in self._due_since and self.division.by_key.get(item.unit.key) is item.unit
        return is_known and all(i in self._owned and self._is_free(i, now) for i in item.members)

    def _order(self, due: list[Due], now: float) -> list[Due]:
        keys = {item.unit.key for item in due}
        for gone in self._due_since.keys() - keys:
            del self._due_since[gone]
        for key in keys:
            self._due_since.setdefault(key, now)
        if keys <= self._served:
            self._served.clear()
        running = frozenset(self._key(i) for i in self._running)
        waiting = order.Waiting(self._due_since, self._finished_at, running, self._served)
        return order.ready(due, self.division.between, waiting, now)

    def _due(self, unit: Unit, wanted: set[int], moment: Moment) -> Due | None:
        """The unit with those members that take part now; None when it has to wait for one of them."""
        members = [self.tables[i] for i in unit.members]
        part = tuple(t for t in members if takes_part(t, self._policy))
        if any(t.held is not None for t in part):
            part = self._part_of_held(unit, part)
        if not part or not all(self._may_start(t.pgt_id, wanted, moment.monotonic) for t in part):
            return None
        if unit.is_slowest and not all(is_ready(self._as_known(t), moment.database, self._policy) for t in part):
            return None
        return Due(
            unit,
            tuple(t.pgt_id for t in part),
            min((t.tier for t in part), key=TIER_RANK.__getitem__),
            min(self._latest_start(t) for t in part),
        )

    def _part_of_held(self, unit: Unit, part: tuple[Table, ...]) -> tuple[Table, ...]:
        """Who is held back says so once. Those who are seen together wait for him; else the others go on."""
        if unit.is_all_or_none:
            return tuple(t for t in part if t.held is not None and not self._attempts.has_said(t))
        return tuple(t for t in part if not self._attempts.has_said(t))

    def _may_start(self, pgt_id: int, wanted: set[int], now: float) -> bool:
        return pgt_id in self._owned and pgt_id not in wanted and self._is_free(pgt_id, now)

    def _compile_order(self, wanted: set[int]) -> tuple[int, ...]:
        """Upstream first: a program may change its table's columns, and whoever reads it would be stale at once."""
        graph, blocking = self.division.graph, wanted | self._compiling
        free = [pgt_id for pgt_id in wanted if not graph.ancestors(pgt_id) & blocking]
        return tuple(sorted(free, key=lambda pgt_id: (graph.level[pgt_id], pgt_id)))

    def _is_free(self, pgt_id: int, now: float) -> bool:
        return pgt_id not in self._running and now >= self._attempts.not_before(pgt_id)

    def _should_compile(self, table: Table, now: float) -> bool:
        return needs_compiling(table, self.compiler_version) and now >= self._attempts.compile_again_at(table)

    def _judge(self, table: Table, moment: Moment) -> Verdict:
        if self._attempts.has_said(table):
            return Verdict.WAIT
        needs_check = moment.monotonic >= self._check_again_at(table.pgt_id)
        if table.pgt_id in self._changed:
            self._pace.changed(table.pgt_id, moment.monotonic)
        has_changes = table.pgt_id in self._changed or needs_check
        is_urgent = moment.monotonic >= self._latest_start(table)
        return judge(self._as_known(table), has_changes, moment.database, self._policy, is_urgent)

    def _latest_start(self, table: Table) -> float:
        return self._pace.latest_start(table.pgt_id, table.deadline_seconds, self._policy.tick_seconds)

    def _measure(self, pgt_id: int, seconds: float, at: float) -> None:
        table = self.tables.get(pgt_id)
        self._pace.refreshed(pgt_id, seconds, None if table is None else period_seconds(table, self._policy))
        if pgt_id in self._changed_again:
            # Nobody knows when, but it was while this refresh ran.
            self._pace.changed(pgt_id, at - seconds)

    def _check_again_at(self, pgt_id: int) -> float:
        # The first look at a table that became ours is a check as well: nobody knows when the last one was.
        return self._checked_at.get(pgt_id, float("-inf")) + self._policy.check_seconds

    def _over(self, pgt_id: int) -> None:
        """It runs no longer. What it was told meanwhile it may not have seen."""
        self._running.discard(pgt_id)
        if pgt_id in self._changed_again:
            self._changed_again.discard(pgt_id)
            self._changed.add(pgt_id)
        self._agenda.wake([pgt_id])

    def _free_at(self, pgt_id: int) -> float:
        """When it may be tried again; nobody knows when one that runs will have finished, and then it is woken."""
        not_before = self._attempts.not_before(pgt_id)
        return float("inf") if pgt_id in self._running or not_before < 0 else not_before

    def _look_again_at(self, table: Table, moment: Moment) -> float:
        """When one that waits may have something to do although nothing happens to it."""
        now = moment.monotonic
        # Clocks may be set: no moment is believed in for long.
        moments = [now + LONGEST_REST_SECONDS, max(self._check_again_at(table.pgt_id), now), self._latest_start(table)]
        upcoming = wakes_at(self._as_known(table), self._policy)
        if upcoming is not None:
            moments.append(now + max(0.0, (upcoming - moment.database).total_seconds()))
        if needs_compiling(table, self.compiler_version):
            moments.append(self._attempts.compile_again_at(table))
        return min(moments)

    def _as_known(self, table: Table) -> Table:
        """The catalog row, with the moment we know better: our own last look at the table."""
        looked_at = self._looked_at.get(table.pgt_id)
        stretch = self._pace.stretch(table.pgt_id)
        if looked_at is None and stretch == 1:
            return table
        return replace(table, last_refresh_at=looked_at or table.last_refresh_at, stretch=stretch)

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
