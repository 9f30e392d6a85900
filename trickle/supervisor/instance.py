"""One instance at work: what a turn observes, and what follows for sessions, members, claims, jobs."""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from trickle.clock import Anchor, Clock
from trickle.db.locks import REPAIR_GROUP, REPAIR_NAME, LockName
from trickle.db.retry import Kind, kind_of
from trickle.logs import event
from trickle.scheduler.book import Book, Moment, Plan
from trickle.scheduler.due import Policy
from trickle.sql import load
from trickle.supervisor import claims, layout, observe
from trickle.supervisor.chores import Chores
from trickle.supervisor.crew import Crew
from trickle.supervisor.fleet import Lost
from trickle.supervisor.holdings import Holdings
from trickle.supervisor.link import ServerLink, is_lost
from trickle.supervisor.membership import Membership
from trickle.supervisor.options import WorkerOptions
from trickle.supervisor.places import Places
from trickle.supervisor.report import Reporter
from trickle.supervisor.wake import DOUBTED_TABLES, DUE, SWEEP_TABLES, Wake
from trickle.supervisor.work import Work, tables_of
from trickle.worker.protocol import Done, Failed, Job, Restore

log = logging.getLogger(__name__)

_NEVER = float("-inf")
# Between two looks at the whole catalog, for each stream table in it: they shall not take more than a hundredth of the
# time. What cannot wait rings.
_SECONDS_PER_TABLE = 0.0005
# A plan is followed for so many times as long as it took to make: then that takes a twentieth of the time at most.
_PLAN_IS_GOOD_FOR = 20
# A notification has room for less than 8000 bytes.
_NUMBERS_IN_A_WORD = 300
_REPAIR = LockName(REPAIR_GROUP, REPAIR_NAME)


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
        self.tick_seconds = options.tick_seconds or 1.0
        self.is_standby = False
        self.is_draining = False
        self.membership = Membership(options, link, clock)
        self._options = options
        self._link = link
        self._crew = crew
        self._reporter = reporter
        self._clock = clock
        self._work = Work(options, crew, self.book, reporter, clock)
        self._settings = observe.DatabaseSettings()
        self._keys: dict[str, int] = {}
        self._holdings = Holdings(link, options.group_id)
        self._wake = Wake(link, self.book, clock)
        self._places = Places(options.children, crew, link, clock)
        self._chores = Chores(options, link.instance_id, self._work, self._wake, clock)
        self._anchor: Anchor | None = None
        self._catalog_token = ""
        self._token_at = self._read_at = _NEVER
        self._is_identical = True
        self._has_given_up = False
        self._due_elsewhere: set[int] = set()
        self._reported: tuple[object, object] | None = None
        self._discovered_at = _NEVER
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
        seen = self._glance(control)
        if seen.in_recovery:
            return self._wait_for_promotion()
        if self.is_standby:
            self.is_standby = False
            event(log, logging.INFO, "the server was promoted: claiming anew")
        if not self.is_draining and (self._join() or self.membership.announce_again(seen)):
            seen = self._glance(control)
        self._discover(control, seen)
        self.beat()  # a large catalog takes seconds to read on a busy host, and silence is taken for a frozen one
        self._settle_claims(control)
        self.beat()
        if not self._is_identical:
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
            moment = self._moment()
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

    def ring(self) -> None:
        """Wake the others once: claims were given up, or a stream table that one of them owns has something to do."""
        control = self._link.control
        if control is None or is_lost(control):
            return
        if self._has_given_up:
            self._has_given_up = False
            self.membership.ring()
        if self._due_elsewhere:
            due, self._due_elsewhere = sorted(self._due_elsewhere), set()
            for start in range(0, len(due), _NUMBERS_IN_A_WORD):
                numbers = map(str, due[start : start + _NUMBERS_IN_A_WORD])
                control.execute(load("queries/instance_ring"), {"payload": " ".join([DUE, *numbers])})

    def drain(self) -> None:
        """Stop claiming and hand over all that is not being worked on."""
        self.is_draining = True
        self._holdings.assign(self._holdings.layout, frozenset())
        try:
            self._link.leave()
            self._wake.rest()
            self._holdings.give_back(self._link.held_names() - self._work.claims_in_hand)
            self._reporter.tables(self.book.tables.values(), self.owned)
            self._has_given_up = True
        except psycopg.Error:
            # The sessions are gone, and with them the claims.
            self._link.close()

    def expect_news(self) -> None:
        """Somebody says that there is something new: look at the catalog at the next turn."""
        self._token_at = _NEVER

    def discover_soon(self) -> None:
        """Read catalog and settings at the next turn, however lately that was done."""
        self._discovered_at = _NEVER

    def lose_locks(self, why: str) -> None:
        """Without the lock session nothing is ours."""
        if self._link.locks is not None:
            event(log, logging.WARNING, "the lock session is lost: all claims are dropped", why=why)
        self._forget_claims()

    def answered(self, answer: Done | Failed) -> None:
        """A child finished a job, well or badly."""
        self._note(answer)
        awakened = self._work.done(answer) if isinstance(answer, Done) else self._work.failed(answer)
        self._due_elsewhere |= awakened - self.owned
        if isinstance(answer, Failed) and answer.connection_lost:
            self._doubt_readers(answer.job)
        self._let_go(answer.job)

    def lost(self, lost: Lost) -> None:
        """A child went with a job in hand."""
        for first in tables_of(lost.job)[:1]:
            self._work.journal.failed(first, "its subprocess ended", True, self._moment().database)
        deaths = self._work.lost(lost)
        self._doubt_readers(lost.job)
        self._let_go(lost.job)
        control = self._link.control
        if not deaths or control is None or is_lost(control):
            return
        for pgt_id in tables_of(lost.job):
            parameters = {
                "pgt_id": pgt_id,
                "started": self._moment().database,
                "code": "58000",
                "message": f"the refresh subprocess died {deaths} times in a row with it in hand",
                "initiated_by": "SCHEDULER",
            }
            control.execute(load("queries/worker_record_failure"), parameters)

    def _doubt_readers(self, job: Job) -> None:
        """Nobody knows whether it was committed: then what reads it has something to do, and nobody else would tell."""
        downstream = self.book.division.graph.downstream
        readers = frozenset().union(*(downstream.get(pgt_id, ()) for pgt_id in tables_of(job)))
        self.book.noticed(readers)
        self._due_elsewhere |= readers - self.owned

    @property
    def _may_work(self) -> bool:
        return (
            self._link.locks is not None
            and not self.is_draining
            and not self.is_standby
            and self._is_identical
            and self._settings.enabled
        )

    def _control(self) -> Connection[Any]:
        if is_lost(self._link.control):
            self._link.drop_control()
        was_closed = self._link.control is None
        control = self._link.connect()
        if self._link.database is not None:
            self._reporter.connected(self._link.database)
        if was_closed:
            self._discovered_at = _NEVER
        return control

    def _glance(self, control: Connection[Any]) -> observe.Glance:
        asked_at = self._clock.monotonic()
        with_catalog = asked_at - self._token_at >= len(self.book.tables) * _SECONDS_PER_TABLE
        if with_catalog:
            self._token_at = asked_at
        seen = observe.glance(control, self._options.group_id, with_catalog)
        self._anchor = Anchor(seen.database_now, (asked_at + self._clock.monotonic()) / 2)
        self._is_identical = seen.is_identical or seen.in_recovery
        return seen

    def _join(self) -> bool:
        if not self.membership.join():
            return False
        self._discovered_at = _NEVER
        return True

    def _discover(self, control: Connection[Any], seen: observe.Glance) -> None:
        """Read the catalog when it changed or enough time has passed; compute our share when anything did."""
        now = self._clock.monotonic()
        is_old = now - self._discovered_at >= self._options.discovery_seconds
        # What the token does not tell of is not urgent, and a large catalog takes long to read.
        rest = self._options.discovery_seconds * max(1.0, len(self.book.tables) / 1000)
        is_told = seen.catalog_token is not None and seen.catalog_token != self._catalog_token
        has_new_catalog = is_told or self._discovered_at == _NEVER or now - self._read_at >= rest
        has_new_members = self.membership.note(seen)
        if is_old or is_told:
            self._discovered_at = now
            self._read_settings(control)
        if has_new_catalog:
            catalog = observe.read_catalog(control)
            self.book.read(catalog.tables)
            self._wake.read(observe.read_sources(control))
            self._keys = dict(catalog.keys)
            self._catalog_token = self._catalog_token if seen.catalog_token is None else seen.catalog_token
            self._read_at = now
        if (has_new_members or has_new_catalog) and not self.is_draining:
            self._compute_share(control)

    def _compute_share(self, control: Connection[Any]) -> None:
        tables = self.book.tables
        whole = (frozenset(tables[i].full_name for i in part) for part in self.book.division.owners)
        keys_of = partial(observe.read_keys, control, self._options.group_id)
        arranged = layout.arrange(self._keys, whole, layout.budget(self.members), keys_of)
        self._holdings.assign(arranged, arranged.share(self.members, self._link.instance_id))

    def _read_settings(self, control: Connection[Any]) -> None:
        self._settings = observe.read_settings(control)
        self.tick_seconds = self._options.tick_seconds or self._settings.scheduler_interval_ms / 1000
        sweep_seconds = max(1.0, self.tick_seconds) * len(self.book.tables) / SWEEP_TABLES
        self.book.policy = Policy(
            tiered_scheduling=self._settings.tiered_scheduling,
            fuses_chains=self._settings.enable_fused_refresh,
            auto_backoff=self._settings.auto_backoff,
            tick_seconds=self.tick_seconds,
            slack_seconds=min(0.1, self.tick_seconds / 4),
            # Each is looked at in the course of a sweep. One that was not, for four times as long, is refreshed.
            check_seconds=max(self._options.discovery_seconds, 4 * sweep_seconds),
        )
        self._work.most_turns = self._settings.max_fixpoint_iterations
        self._wake.set(self._settings)
        self._places.set(self._settings)

    def _settle_claims(self, control: Connection[Any]) -> None:
        if self._link.locks is None:
            return
        if self._holdings.settle(control, self.book.tables, self._work.claims_in_hand):
            self._has_given_up = True
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
        swept = self._wake.sweep()
        try:
            for portion in self._wake.turn(swept[:DOUBTED_TABLES]):
                self.book.polled(observe.read_pending(control, portion), portion, self._clock.monotonic())
                self.beat()
            self.book.noticed(observe.read_altered(control, swept[DOUBTED_TABLES:]))
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

    def _note(self, answer: Done | Failed) -> None:
        """What became of a unit, for the table of jobs."""
        journal, now = self._work.journal, self._moment().database
        for first in tables_of(answer.job)[:1]:
            if isinstance(answer, Done):
                journal.succeeded(first, answer.outcome.action == "NO_DATA", now)
            else:
                passes = answer.connection_lost or kind_of(answer.sqlstate) is not Kind.DEFINITE
                journal.failed(first, answer.message, passes, now)

    def _plan_and_touch(self, control: Connection[Any]) -> int:
        """Start what is due, and note in one statement what was due and had nothing to do."""
        if not self._may_work:
            return 0
        moment = self._moment()
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
        if locks is not None and may_start and locks.take([_REPAIR]) and not self._work.repair():
            locks.release([_REPAIR])
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
        self._discovered_at = _NEVER

    def _let_go(self, job: Job) -> None:
        """A job is over: a claim that is no longer ours can go now."""
        for pgt_id in tables_of(job):
            self._wake.finished(pgt_id)
        self._chores.worked_on(tables_of(job))
        released = self._work.let_go(job) - self._holdings.mine
        if self._link.locks is None:
            return
        if isinstance(job, Restore):
            self._link.locks.release([_REPAIR])
            self._discovered_at = _NEVER
        elif released:
            self._holdings.give_back(released)
            self._has_given_up = True

    def _moment(self) -> Moment:
        monotonic = self._clock.monotonic()
        return Moment(self._anchor.now(monotonic) if self._anchor else self._clock.now(), monotonic)
