"""What is to be looked at for changes, a portion at a time. Pure.

    a bell that may be armed ──▶ its stream tables, portion by portion ──▶ over: armed, unless something was found
    a bell that was armed ─────▶ the same once more, for what was committed in between

A source may have thousands of readers and a bell many sources. A look at all of them takes seconds, in which nothing
is given out and no answer is heard, so between two portions the instance does that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice


@dataclass(frozen=True, slots=True)
class Portion:
    """Stream tables to look at now."""

    before: Mapping[int, frozenset[int]]  # of bells that may be armed after it, by bell
    after: frozenset[int]  # of bells that are armed

    @property
    def tables(self) -> frozenset[int]:
        return self.after.union(*self.before.values())


@dataclass(slots=True)
class _Look:
    """A look at all stream tables of a bell."""

    left: list[int]
    found: set[int] = field(default_factory=set)


class Looks:
    """All looks that are not over."""

    def __init__(self) -> None:
        self._before: dict[int, _Look] = {}  # by bell, the oldest first
        self._after: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._before or self._after)

    def begin(self, bells: Mapping[int, Collection[int]]) -> None:
        """Look at the stream tables of each of these bells; a look that is not over goes on."""
        for number, tables in bells.items():
            if number not in self._before:
                self._before[number] = _Look(list(tables))

    def armed(self, tables: Iterable[int]) -> None:
        """The bells of these stream tables are armed: what is captured from now on rings."""
        self._after.update(tables)

    def portion(self, size: int) -> Portion:
        """So many of those that are left, and first those whose bells are armed: nobody else will tell of them."""
        after = frozenset(islice(self._after, size))
        before, room = dict[int, frozenset[int]](), size - len(after)
        for number, look in self._before.items():
            if look.left and not room:
                break
            before[number] = frozenset(look.left[:room])
            room -= len(before[number])
        return Portion(before, after)

    def looked(self, portion: Portion, found: frozenset[int]) -> Mapping[int, frozenset[int]]:
        """What a look at this portion found. The bells whose look is over, with all that was found in it."""
        self._after -= portion.after
        over = {}
        for number, tables in portion.before.items():
            look = self._before[number]
            del look.left[: len(tables)]
            look.found |= tables & found
            if not look.left:
                over[number] = frozenset(self._before.pop(number).found)
        return over

    def keep(self, owned: frozenset[int]) -> None:
        """These are our stream tables from now on. A bell that is not armed yet is looked at anew."""
        self._before.clear()
        self._after &= owned

    def forget(self) -> None:
        """No bell is armed."""
        self.keep(frozenset())
