"""A story that fails, made smaller while it still fails: fewer queries, changes and operators.

A query is replaced by one it is made of, or one that it is made of by a table with columns of the same kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from property.composed.kinds import KINDS
from property.composed.made import Made, Source, select
from property.composed.story import Query, Story

T = TypeVar("T")
Fails = Callable[[Story], bool]


def smaller(story: Story, name: str, fails: Fails, most: int = 200) -> Story:
    """The story of one query, in at most so many attempts; `fails` plays one and says whether it still fails."""
    attempts = 0
    best = _alone(story, name)
    if not fails(best):
        return story
    again = True
    while again and attempts < most:
        again = False
        for candidate in _candidates(best):
            attempts += 1
            if fails(candidate):
                best, again = candidate, True
                break
            if attempts >= most:
                break
    return best


def _alone(story: Story, name: str) -> Story:
    """The query and what it reads."""
    (chosen,) = (query for query in story.queries if query.name == name)
    kept = [query for query in story.queries if query is chosen or f"FROM {query.name} " in chosen.made.sql]
    return replace(story, queries=tuple(kept))


def _candidates(story: Story) -> Iterator[Story]:
    """Smaller stories, the much smaller ones first."""
    *others, last = story.queries
    for part in last.made.parts:
        yield replace(story, queries=(*others, Query(last.name, part)))
    for i in range(len(story.cycles)):
        if len(story.cycles) > 1:
            yield replace(story, cycles=_without(story.cycles, i))
    sources = [*story.sources, *(query.source for query in others)]
    for part in _descendants(last.made):
        for simpler in [*part.parts, *(_plain(part, source) for source in sources)]:
            if simpler.kinds == part.kinds and len(simpler.sql) < len(part.sql):
                yield replace(story, queries=(*others, Query(last.name, _replaced(last.made, part, simpler))))
    for i, cycle in enumerate(story.cycles):
        for j, batch in enumerate(cycle):
            if len(cycle) > 1:
                yield replace(story, cycles=_with(story.cycles, i, _without(cycle, j)))
            elif len(batch) > 1:
                for k in range(len(batch)):
                    yield replace(story, cycles=_with(story.cycles, i, (_without(batch, k),)))


def _without(items: tuple[T, ...], i: int) -> tuple[T, ...]:
    return (*items[:i], *items[i + 1 :])


def _with(items: tuple[T, ...], i: int, item: T) -> tuple[T, ...]:
    return (*items[:i], item, *items[i + 1 :])


def _descendants(made: Made) -> Iterator[Made]:
    for part in made.parts:
        yield part
        yield from _descendants(part)


def _plain(part: Made, source: Source) -> Made:
    """A table with columns of the kinds that the query has; NULL for a kind that it lacks."""
    names = {kind: name for name, kind in source.columns}
    shown = [(f"b.{names[k]}" if k in names else f"NULL::{KINDS[k].sql}", k) for k in part.kinds]
    return select(shown, f"FROM {source.sql} b", [])


def _replaced(made: Made, old: Made, new: Made) -> Made:
    if made is old:
        return new
    return Made(made.sql.replace(old.sql, new.sql), made.kinds, tuple(_replaced(p, old, new) for p in made.parts))
