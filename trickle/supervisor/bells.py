"""The bells of sources: which are armed, which rang, and what is to be looked at because of them. Pure.

    open ──armed, then looked at──▶ armed ──a writer commits: it rings──▶ open
      └── tried again: when the work that the ring made is done, and at every tick

A bell is a lock. Armed means that an instance holds it: whoever writes then cannot share it, and notifies when it
commits. Open means that writers share it, and nobody is told. It can be armed only when no writer in flight has found
it open, and whoever arms it looks at the sources after that: what was committed before is seen by the look, what comes
later rings. So nothing is missed, and as long as writers overlap nobody notifies: then they are looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Wire:
    """What can give one stream table something to do."""

    bell_of: Mapping[int, int] = field(default_factory=dict)  # by source
    is_audible: bool = False  # nothing but these sources, and stream tables whose refresh tells us
    is_prompt: bool = False  # it is due as soon as it has something to do


@dataclass(slots=True)
class _Bell:
    """One bell, as this instance sees it."""

    tables: set[int] = field(default_factory=set)
    prompt: set[int] = field(default_factory=set)
    holder: int | None = None  # the session that has armed it; None: open, or not known to be armed
    looked_at: float = -_NEVER
    retry_at: float = _NEVER
    pause: float = 0.0


class Bells:
    """All bells of the sources that our stream tables read; moments are monotonic seconds."""

    def __init__(self) -> None:
        self._wires: Mapping[int, Wire] = {}
        self._bells: dict[int, _Bell] = {}
        self._readers: dict[int, set[int]] = {}
        self._deaf: frozenset[int] = frozenset()

    def connect(self, wires: Mapping[int, Wire]) -> None:
        """These are our stream tables from now on. A bell that somebody new listens to has to be tried again."""
        before, self._bells, self._readers = self._bells, {}, {}
        for pgt_id, wire in wires.items():
            for source, number in wire.bell_of.items():
                self._readers.setdefault(source, set()).add(pgt_id)
                bell = self._bells.setdefault(number, _Bell())
                bell.tables.add(pgt_id)
                if wire.is_prompt:
                    bell.prompt.add(pgt_id)
        for number, bell in self._bells.items():
            known = before.get(number)
            if known is not None and bell.tables <= known.tables:
                bell.holder, bell.looked_at, bell.retry_at = known.holder, known.looked_at, known.retry_at
        self._wires = wires
        self._deaf = frozenset(pgt_id for pgt_id, wire in wires.items() if not wire.is_audible)

    @property
    def numbers(self) -> frozenset[int]:
        return frozenset(self._bells)

    @property
    def next_retry(self) -> float | None:
        """When a bell is to be tried before the next tick."""
        soonest = min((bell.retry_at for bell in self._bells.values()), default=_NEVER)
        return soonest if soonest < _NEVER else None

    def rang(self, source: int, now: float, debounce: float) -> tuple[frozenset[int], int | None]:
        """A source was written to: the stream tables that read it, and the bell if it was armed till now."""
        readers = frozenset(self._readers.get(source, ()))
        number = next((self._wires[i].bell_of[source] for i in readers), None)
        if number is None:
            return readers, None
        was_armed = self._bells[number].holder is not None
        self.opened(number, now, debounce)
        return readers, number if was_armed else None

    def opened(self, number: int, now: float, debounce: float) -> None:
        """A bell is open: it rang, or whoever had armed it says so."""
        bell = self._bells.get(number)
        if bell is not None and bell.holder is not None:
            bell.holder, bell.pause, bell.looked_at = None, 0.0, now
            self._retry(bell, now + debounce)

    def finished(self, pgt_id: int, now: float, debounce: float) -> None:
        """The work that a ring made is done."""
        wire = self._wires.get(pgt_id)
        for number in wire.bell_of.values() if wire is not None else ():
            bell = self._bells[number]
            if bell.holder is None:
                bell.pause = 0.0
                self._retry(bell, max(now, bell.looked_at + debounce))

    def due(self, now: float) -> frozenset[int]:
        """The bells to try now."""
        return frozenset(number for number, bell in self._bells.items() if bell.retry_at <= now)

    def untended_by(self, session: int) -> frozenset[int]:
        """The bells that were armed by somebody else, which only the server knows, and those that nobody will try."""
        return frozenset(n for n, bell in self._bells.items() if bell.holder != session and bell.retry_at == _NEVER)

    def tables_of(self, numbers: Iterable[int]) -> frozenset[int]:
        """The stream tables that listen to these bells."""
        return frozenset().union(*(self._bells[number].tables for number in numbers if number in self._bells))

    def noisy(self, numbers: Iterable[int], busy: Collection[int]) -> frozenset[int]:
        """Those of these bells whose prompt stream tables are at work, or about to be."""
        return frozenset(number for number in numbers if not self._bells[number].prompt.isdisjoint(busy))

    def unheard(self) -> frozenset[int]:
        """The stream tables that may have something to do while no bell tells it, and no look before it is armed."""
        return self._deaf | self.tables_of(
            number for number, bell in self._bells.items() if bell.holder is None and bell.retry_at == _NEVER
        )

    def armed(self, holders: Mapping[int, int | None], now: float, debounce: float, longest: float) -> frozenset[int]:
        """The answer to a try: the session that has armed each bell, None when it stays open. Those to look at now."""
        fresh = set()
        for number, holder in holders.items():
            bell = self._bells.get(number)
            if bell is None:
                continue
            if holder is None:
                self._rest(bell, now, debounce, longest)
            elif holder != bell.holder:
                bell.pause, bell.retry_at = 0.0, _NEVER
                fresh.add(number)
            bell.holder, bell.looked_at = holder, now
        return frozenset(fresh)

    def postponed(self, numbers: Iterable[int], now: float, debounce: float, longest: float) -> None:
        """These have been looked at and are not to be armed yet: who listens is at work, or about to be."""
        for number in numbers:
            self._rest(self._bells[number], now, debounce, longest)

    def forget(self) -> None:
        """The session that held our locks is gone: every bell is open until it is tried again."""
        for bell in self._bells.values():
            bell.holder, bell.retry_at, bell.pause = None, _NEVER, 0.0

    def _rest(self, bell: _Bell, now: float, debounce: float, longest: float) -> None:
        bell.pause = min(longest, max(debounce, 2 * bell.pause))
        bell.looked_at, bell.retry_at = now, now + bell.pause if bell.prompt else _NEVER

    def _retry(self, bell: _Bell, at: float) -> None:
        bell.retry_at = min(bell.retry_at, at) if bell.prompt else _NEVER
