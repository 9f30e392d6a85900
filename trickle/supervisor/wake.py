"""Woken by writers: from the notification to the stream tables that are due, and the bells armed again behind it.

    notification ──▶ its readers are known to have changes: the loop starts them at once, no question asked
                 └─▶ the bell is opened: from here on nobody notifies
    work done ──▶ look ──nothing──▶ arm ──▶ look ──nothing──▶ sleep
                    └──changes──▶ work             └──a writer is in flight──▶ look again soon

A look takes a tenth of a millisecond for each stream table, and there may be thousands. So it is taken in portions, and
after a while the instance rests for as long: it gives out what was found and hears those who work on it.

The locks are on the lock session, the looks on the control session. Without bells (the setting `event_driven_wake` is
off, or the server allows prepared transactions, which cannot notify) every stream table is looked at at every tick.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg import Connection

from trickle.clock import Clock
from trickle.db.locks import LockSession
from trickle.logs import event
from trickle.scheduler.book import Book
from trickle.scheduler.schedule import Calculated
from trickle.supervisor import observe
from trickle.supervisor.bells import Bells, Wire
from trickle.supervisor.link import ServerLink
from trickle.supervisor.looks import Looks

log = logging.getLogger(__name__)

OPENED = "open"  # the word of a notification by which an instance says that bells of its are open, with their numbers
DUE = "due"  # the same for stream tables that have something to do, with theirs
_CALL = re.compile(rf"(?:({OPENED}|{DUE}) )?([0-9]{{1,18}}(?: [0-9]{{1,18}})*)")
# Every second so many stream tables are looked at although nobody rang: altered sources and lost triggers do not ring.
# At a few of them the changes are looked for as well: a bell may be missed for a reason that nobody thought of.
SWEEP_TABLES = 64
_DOUBTED_TABLES = 2
# A little less than the second between two ticks, which may come early.
_SWEEP_SECONDS = 0.8
# So many stream tables are asked about in one statement: a heartbeat must fit between two.
_CHUNK = 1000
# Between two looks at a source whose bell cannot be armed: a writer has been open for long, or a refresh takes long.
_LONGEST_PAUSE = 0.5
# So many stream tables are looked at in one statement between two ticks, and no more of them begin after so long.
PORTION = 32
_LOOK_SECONDS = 0.01
_NOTHING: frozenset[int] = frozenset()


class Wake:
    """The bells of one instance."""

    def __init__(self, link: ServerLink, book: Book, clock: Clock) -> None:
        self._link = link
        self._book = book
        self._clock = clock
        self._bells = Bells()
        self._looks, self._look_again_at = Looks(), float("-inf")
        self._sources: Mapping[int, observe.Sources] = {}
        self._owned: frozenset[int] = frozenset()
        self._to_open: set[int] = set()
        self._is_on = False
        self._debounce = 0.01
        self._altered, self._doubted = _Round(SWEEP_TABLES), _Round(_DOUBTED_TABLES)
        self._swept_at = float("-inf")

    @property
    def next_look(self) -> float | None:
        """When bells are to be tried before the next tick, in monotonic seconds."""
        if self._link.locks is None:
            return None
        retry = float("-inf") if self._looks else self._bells.next_retry
        return None if retry is None else max(retry, self._look_again_at)

    def set(self, settings: observe.DatabaseSettings) -> None:
        """Follow the settings of the database."""
        is_on = settings.may_notify if settings.event_driven_wake is None else settings.event_driven_wake
        if is_on != self._is_on:
            event(log, logging.INFO, "writers wake us" if is_on else "writers do not wake us: sources are polled")
            self._is_on = is_on
            self._connect()
        self._debounce = settings.wake_debounce_ms / 1000

    def read(self, sources: Mapping[int, observe.Sources]) -> None:
        """The catalog was read anew."""
        self._sources = sources
        self._connect()

    def own(self, owned: frozenset[int]) -> None:
        """These stream tables are ours."""
        if owned is not self._owned:
            self._owned = owned
            self._connect()

    def forget(self) -> None:
        """The lock session is gone, and every bell with it."""
        self._to_open.clear()
        self.doubt()

    def rest(self) -> None:
        """Nothing is to be done for now: nobody needs to call."""
        self.own(_NOTHING)
        self.open()

    def doubt(self) -> None:
        """A look failed: no bell is relied on before another one."""
        self._bells.forget()
        self._looks.forget()

    def hear(self, words: Iterable[str]) -> None:
        """What was called through the door: numbers of sources, of opened bells, or of stream tables that are due."""
        now = self._clock.monotonic()
        running = self._book.running
        for word in words:
            what, numbers = _understood(word)
            if what == DUE:
                self._book.noticed(numbers)
            elif what == OPENED:
                for number in numbers - self._armed:
                    self._bells.opened(number, now, self._debounce)
            else:
                for source in numbers:
                    readers, armed = self._bells.rang(source, now, self._debounce)
                    # One that runs was told of by a writer before, or is looked at when it has finished.
                    self._book.noticed(readers - running)
                    if armed is not None:
                        self._to_open.add(armed)

    def captured(self, pgt_ids: Iterable[int]) -> frozenset[int]:
        """The sources of these stream tables whose changes are captured."""
        return frozenset().union(*(self._sources[i].captured for i in pgt_ids if i in self._sources))

    def finished(self, pgt_id: int) -> None:
        """A refresh is over."""
        self._bells.finished(pgt_id, self._clock.monotonic(), self._debounce)

    def settle(self, control: Connection[Any]) -> None:
        """Between two ticks: open what rang, and try what is due."""
        try:
            self._settle(control)
        except psycopg.Error:
            self.doubt()
            raise

    def _settle(self, control: Connection[Any]) -> None:
        locks = self._link.locks
        if locks is None:
            return
        self.open()
        started = now = self._clock.monotonic()
        if now < self._look_again_at:
            return
        self._looks.begin({number: self._bells.tables_of([number]) for number in self._bells.due(now)})
        while self._looks and now - started < _LOOK_SECONDS:
            self._look(control, locks, now)
            now = self._clock.monotonic()
        self._look_again_at = now + (now - started)

    def _look(self, control: Connection[Any], locks: LockSession, now: float) -> None:
        """One portion; the bells whose look is over are armed, or tried again later."""
        portion = self._looks.portion(PORTION)
        running = self._book.running
        found = observe.read_captured(control, portion.tables - running - self._book.changed)
        over = self._looks.looked(portion, found)
        # One that runs may have begun before the bell was armed: only another refresh is sure to see everything.
        self._book.noticed(found | (portion.after & running))
        busy = self._bells.noisy(over, (running | self._book.due).union(*over.values()))
        self._bells.postponed(busy, now, self._debounce, _LONGEST_PAUSE)
        self._looks.armed(self._bells.tables_of(self._arm(locks, frozenset(over) - busy)))

    def turn(self, doubted: Iterable[int]) -> list[frozenset[int]]:
        """At a tick: arm what can be armed. The stream tables to be looked at after that, in portions."""
        locks = self._link.locks
        ask = set(doubted)
        if locks is not None:
            self.open()
            before = self._bells.unheard()
            tried = self._bells.untended_by(locks.backend_pid)
            busy = self._bells.noisy(tried, self._book.running | self._book.due)
            fresh = self._arm(locks, tried - busy)
            ask |= before | self._bells.unheard() | self._bells.tables_of(fresh)
        ordered = sorted(ask & self._owned)
        return [frozenset(ordered[i : i + _CHUNK]) for i in range(0, len(ordered), _CHUNK)]

    def sweep(self) -> tuple[list[int], list[int]]:
        """Stream tables to be looked at although nothing tells of changes: for changes, and for being altered."""
        now = self._clock.monotonic()
        if now < self._swept_at + _SWEEP_SECONDS:
            return [], []
        self._swept_at = now
        return self._doubted.next(self._owned), self._altered.next(self._owned)

    def open(self) -> None:
        """Open the bells that rang, and those that nobody here listens to any more."""
        locks = self._link.locks
        if locks is None:
            return
        opened = self._to_open & locks.armed
        self._to_open.clear()
        if opened:
            locks.open_bells(opened, " ".join([OPENED, *map(str, sorted(opened))]))

    @property
    def _armed(self) -> frozenset[int]:
        return self._link.locks.armed if self._link.locks is not None else frozenset()

    def _connect(self) -> None:
        wires = {}
        for pgt_id in self._owned:
            table, sources = self._book.tables.get(pgt_id), self._sources.get(pgt_id)
            if table is None or sources is None:
                continue
            is_prompt = isinstance(table.schedule, Calculated) and not table.is_immediate
            bell_of = sources.bell_of if self._is_on and not table.is_immediate else {}
            wires[pgt_id] = Wire(bell_of, self._is_on and sources.are_audible, is_prompt)
        self._bells.connect(wires)
        self._looks.keep(self._owned)
        self._to_open |= self._armed - self._bells.numbers

    def _arm(self, locks: LockSession, numbers: frozenset[int]) -> frozenset[int]:
        """Try to arm these; those whose stream tables are to be looked at because it is news who has armed them."""
        if not numbers:
            return frozenset()
        holders = locks.arm_bells(numbers)
        return self._bells.armed(holders, self._clock.monotonic(), self._debounce, _LONGEST_PAUSE)


class _Round:
    """Takes so many at a time, until every one has had its turn, and begins anew."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._left: list[int] = []

    def next(self, owned: frozenset[int]) -> list[int]:
        """The next of these; what is ours no longer loses its turn."""
        if not self._left:
            self._left = sorted(owned, reverse=True)
        taken = self._left[-self._count :]
        del self._left[-self._count :]
        return [pgt_id for pgt_id in taken if pgt_id in owned]


def _understood(word: str) -> tuple[str, frozenset[int]]:
    """What a call says, and of which numbers. Everybody may call: what makes no sense says nothing.

    >>> _understood("open 3 7") == ("open", frozenset({3, 7})), _understood("17") == ("", frozenset({17}))
    (True, True)
    >>> _understood("good morning")
    ('', frozenset())
    """
    found = _CALL.fullmatch(word)
    return (found[1] or "", frozenset(map(int, found[2].split()))) if found else ("", frozenset())
