"""One instance at work: what a turn observes, and what follows for sessions, members, claims, jobs."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import Connection

from trickle.clock import Clock
from trickle.logs import event
from trickle.scheduler.book import Book, Plan
from trickle.scheduler.memory import Moment
from trickle.sql import load
from trickle.supervisor import claims, observe
from trickle.supervisor.chores import Chores
from trickle.supervisor.crew import Crew
from trickle.supervisor.discovery import Discovery
from trickle.supervisor.holdings import Holdings
from trickle.supervisor.link import ServerLink, is_lost
from trickle.supervisor.membership import Membership
from trickle.supervisor.options import WorkerOptions
from trickle.supervisor.outcomes import REPAIR, Outcomes
from trickle.supervisor.places import Places
from trickle.supervisor.report import Reporter
from trickle.supervisor.wake import Wake
from trickle.supervisor.work import Work

log = logging.getLogger(__name__)

_NEVER = float("-inf")
# A plan is followed for so many times as long as it took to make: then that takes a twentieth of the time at most.
_PLAN_IS_GOOD_FOR = 20


class Instance:
    """Everything between the sessions and the children."""

    def __init__(
        self,
        options: WorkerOptions,
        link: ServerLink,
        crew: Crew,
        reporter: Reporter,
        clock: Clock,
        compiler_version: str,
    ) -> None:
        self.book = Book(compiler_version)
        self.is_standby = False
        self.is_draining = False
        self.membership = Membership(options, link, clock)
        self._options = options
        self._link = link
        self._crew = crew
        self._reporter = reporter
        self._clock = clock
        self._work = Work(options, crew, self.book, reporter, clock)
        self._holdings = Holdings(link, options.group_id)
        self._wake = Wake(link, self.book, clock)
        self._places = Places(options.children, crew, link, clock)
        self._chores = Chores(options, link.instance_id, self._work, self._wake, clock)
        self._discovery = Discovery(
            options, link, self.membership, self.book, self._holdings, self._wake, self._places, self._work, clock
        )
        self.outcomes = Outcomes(
            link,
            self.membership,
            self._work,
            self._holdings,
            self._wake,
            self._chores,
            self._discovery,
            lambda: self.owned,
        )
        self._reported: tuple[object, object] | None = None
        self._planned, self._planned_until = Plan(), _NEVER

    @property
    def state(self) -> str:
        """The word of /readyz."""
        if self.is_draining:
            return "draining"
        if self.is_standby:
            return "standby"
        return "joined" if self._link.locks is not None else "connecting"

    @property
    def tick_seconds(self) -> float:
        """Between two turns."""
        return self._discovery.tick_seconds

    @property
    def members(self) -> tuple[claims.Member, ...]:
        return self.membership.members

    @property
    def owned(self) -> frozenset[int]:
        """The stream tables that are ours to work on."""
        return self._holdings.usable(self.book.tables)

    @property
    def next_look(self) -> float | None:
        """When sources are to be looked at before the next tick, in monotonic seconds."""
        moments = (self._wake.next_look, self._places.pool.next_look) if self._may_work else ()
        return min((moment for moment in moments if moment is not None), default=None)

    def turn(self) -> str:
        """Observe, settle claims, poll, plan; a sentence about it."""
        control = self._control()
        seen = self._discovery.glance(control)
        if seen.in_recovery:
            return self._wait_for_promotion()
        if self.is_standby:
            self.is_standby = False
            event(log, logging.INFO, "the server was promoted: claiming anew")
        if not self.is_draining and (self._join() or self.membership.announce_again(seen)):
            seen = self._discovery.glance(control)
        self._discovery.follow(control, seen, claims=not self.is_draining)
        self.beat()  # a large catalog takes seconds to read on a busy host, and silence is taken for a frozen one
        self._settle_claims(control)
        self.beat()
        if not self._discovery.is_identical:
            return self._repair()
        self._poll(control)
        untouched = self._plan_and_touch(control)
        self._do_chores(control)
        return (
            f"owns {len(self.owned)} of {len(self.book.tables)} stream tables among {len(self.members)} "
            f"instances; {len(self._crew.jobs)} jobs in hand, {untouched} due without changes"
        )

    def hear(self, words: Collection[str]) -> None:
        """Writers and other instances called: what is due because of it is known without asking anything."""
        self._wake.hear(words)

    def settle(self) -> None:
        """Between two ticks: follow what the writers are doing."""
        control = self._link.control
        if not self._may_work:
            self._wake.rest()
        elif control is not None and not is_lost(control):
            self._wake.settle(control)
            if self._chores.kept:
                self._do_chores(control)

    def dispatch(self) -> None:
        """Give idle children what is due, without asking the database anything but for our part of the pool."""
        if self._may_work and (self._crew.idle or self._places.pool.is_due):
            moment = self._discovery.moment()
            left = self.book.left_of(self._planned, self._options.children, moment.monotonic)
            if (left.compile or left.refresh) and moment.monotonic < self._planned_until:
                self._start(left, moment)
            else:
                self._start(self._plan(moment), moment)

    def beat(self) -> None:
        """A heartbeat, when one is due."""
        why = self.membership.beat()
        if why is not None and not self.is_draining:
            self.lose_locks(why)

    def drain(self) -> None:
        """Stop claiming and hand over all that is not being worked on."""
        self.is_draining = True
        self._holdings.assign(self._holdings.layout, frozenset())
        try:
            self._link.leave()
            self._wake.rest()
            self._holdings.give_back(self._link.held_names() - self._work.claims_in_hand)
            self._reporter.tables(self.book.tables.values(), self.owned)
            self.outcomes.gave_up()
        except psycopg.Error:
            # The sessions are gone, and with them the claims.
            self._link.close()

    def expect_news(self) -> None:
        """Somebody says that there is something new: look at the catalog at the next turn."""
        self._discovery.expect_news()

    def discover_soon(self) -> None:
        """Read catalog and settings at the next turn, however lately that was done."""
        self._discovery.read_soon()

    def lose_locks(self, why: str) -> None:
        """Without the lock session nothing is ours."""
        if self._link.locks is not None:
            event(log, logging.WARNING, "the lock session is lost: all claims are dropped", why=why)
        self._forget_claims()

    @property
    def _may_work(self) -> bool:
        return (
            self._link.locks is not None
            and not self.is_draining
            and not self.is_standby
            and self._discovery.is_identical
            and self._discovery.settings.enabled
        )

    def _control(self) -> Connection[Any]:
        if is_lost(self._link.control):
            self._link.drop_control()
        was_closed = self._link.control is None
        control = self._link.connect()
        if self._link.database is not None:
            self._reporter.connected(self._link.database)
        if was_closed:
            self._discovery.read_soon()
        return control

    def _join(self) -> bool:
        if not self.membership.join():
            return False
        self._discovery.read_soon()
        return True

    def _settle_claims(self, control: Connection[Any]) -> None:
        if self._link.locks is None:
            return
        if self._holdings.settle(control, self.book.tables, self._work.claims_in_hand):
            self.outcomes.gave_up()
        self._report_tables()

    def _report_tables(self) -> None:
        """Only when something about them is new: there may be many."""
        facts = (self.owned, self.book.tables)
        if self._reported is None or any(now is not before for now, before in zip(facts, self._reported, strict=True)):
            self._reported = facts
            self._reporter.tables(self.book.tables.values(), self.owned)

    def _poll(self, control: Connection[Any]) -> None:
        """Look at the sources of those that nobody would tell us about, with a heartbeat in between."""
        if not self._may_work:
            return
        self._wake.own(self.owned)
        doubted, swept = self._wake.sweep()
        try:
            for portion in self._wake.turn(doubted):
                self.book.polled(observe.read_pending(control, portion), portion, self._clock.monotonic())
                self.beat()
            self.book.noticed(observe.read_altered(control, swept))
        except psycopg.Error:
            self._wake.doubt()
            raise
        self.book.checked(swept, self._clock.monotonic())

    def _plan(self, moment: Moment) -> Plan:
        """What is due and in which order. Where that is much it is worked off for a while before it is asked again."""
        plan = self.book.plan(self.owned, moment)
        self._work.journal.planned(plan.refresh, moment.database)
        now = self._clock.monotonic()
        self._planned, self._planned_until = plan, now + _PLAN_IS_GOOD_FOR * (now - moment.monotonic)
        return plan

    def _start(self, plan: Plan, moment: Moment) -> None:
        self._work.start(plan, moment, self._holdings.layout.claim_of, self._room(plan))

    def _room(self, plan: Plan) -> int:
        """How many jobs of the plan may begin now."""
        room = max(0, self._places.room(len(plan.compile) + len(plan.refresh)) - self._chores.kept)
        if self._places.is_dry_run and plan.refresh:
            units = " ".join(due.unit.name for due in plan.refresh)
            event(log, logging.INFO, "would be given out together", units=units, room=room)
        return room

    def _plan_and_touch(self, control: Connection[Any]) -> int:
        """Start what is due, and note in one statement what was due and had nothing to do."""
        if not self._may_work:
            return 0
        moment = self._discovery.moment()
        plan = self._plan(moment)
        self._start(plan, moment)
        if self._link.locks is not None:
            self._work.journal.write(control, self._link.locks.backend_pid, moment.monotonic)
        if plan.touch:
            control.execute(load("queries/instance_touch"), {"pgt_ids": list(plan.touch)})
            self.book.touched(plan.touch, moment)
        return len(plan.touch)

    def _do_chores(self, control: Connection[Any]) -> None:
        if self._may_work:
            self._chores.do(control, self.members, len(self.book.tables), self._places.room)

    def _repair(self) -> str:
        """The catalog came from another database: one instance mends it, and nobody refreshes until then."""
        locks = self._link.locks
        may_start = not self.is_draining and not self._work.is_repairing
        if locks is not None and may_start and locks.take([REPAIR]) and not self._work.repair():
            locks.release([REPAIR])
        return "waits for the catalog to be repaired: it was made in another database"

    def _wait_for_promotion(self) -> str:
        if not self.is_standby:
            event(log, logging.INFO, "the server is a standby: waiting for its promotion")
        self.is_standby = True
        self._forget_claims()
        return "waits on a standby"

    def _forget_claims(self) -> None:
        self.membership.forget()
        self._holdings.forget()
        self._wake.forget()
        self._places.pool.forget()
        self._work.journal.forget()
        self._discovery.read_soon()
