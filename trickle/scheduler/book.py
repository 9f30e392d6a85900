"""What the scheduler does now, decided from what it remembers.

A plan looks only at what something has happened to since the last one: a change, an answer, a new row of the
catalog, or a moment that was waited for (`agenda`). What is quiet costs nothing, however many stream tables there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

from trickle.scheduler import order
from trickle.scheduler.due import Verdict, is_ready, judge, needs_compiling, takes_part, wakes_at
from trickle.scheduler.memory import Memory, Moment
from trickle.scheduler.order import Due
from trickle.scheduler.table import TIER_RANK, Table
from trickle.scheduler.units import Unit

# No stream table that waits for a moment of its schedule is asleep for longer.
LONGEST_REST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now: programs to make, units to refresh in this order, tables to mark as looked at."""

    compile: tuple[int, ...] = ()
    refresh: tuple[Due, ...] = ()
    touch: tuple[int, ...] = ()


class Book(Memory):
    """The memory, and what follows from it."""

    @property
    def due(self) -> frozenset[int]:
        """The stream tables that are to be refreshed as soon as the turn of their unit comes."""
        units = (self.division.by_key[key] for key in self._due_since if key in self.division.by_key)
        return frozenset(pgt_id for unit in units for pgt_id in unit.members)

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
        compile = (i for i in plan.compile if self._is_still_wanted(i, now))
        refresh = (item for item in plan.refresh if self._is_still_due(item, now))
        return Plan(tuple(islice(compile, count)), tuple(islice(refresh, count)))

    def _is_still_wanted(self, pgt_id: int, now: float) -> bool:
        table = self.tables.get(pgt_id)
        return table is not None and self._is_free(pgt_id, now) and self._should_compile(table, now)

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

    def _check_again_at(self, pgt_id: int) -> float:
        # One that became ours is refreshed, unless somebody has asked whether it has something to do.
        return self._checked_at.get(pgt_id, float("-inf")) + self._policy.check_seconds

    def _free_at(self, pgt_id: int) -> float:
        """When it may be tried again; nobody knows when one that runs will have finished, and then it is woken."""
        not_before = self._attempts.not_before(pgt_id)
        return float("inf") if pgt_id in self._running or not_before < 0 else not_before

    def _look_again_at(self, table: Table, moment: Moment) -> float:
        """When one that waits may have something to do although nothing happens to it."""
        now = moment.monotonic
        moments = [max(self._check_again_at(table.pgt_id), now), self._latest_start(table)]
        upcoming = wakes_at(self._as_known(table), self._policy)
        if upcoming is not None:
            # The database's clock may be set: a moment by it is not believed in for long.
            rest = (upcoming - moment.database).total_seconds()
            moments.append(now + min(LONGEST_REST_SECONDS, max(0.0, rest)))
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
