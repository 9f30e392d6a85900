"""A query with its columns, the world it is drawn in, and the draws that every operator makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

Draw = st.DrawFn
Typed = tuple[str, str]
"""An expression and its kind."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something with a name that can stand in FROM, and its columns with their kinds."""

    sql: str
    columns: tuple[Typed, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A query, the kinds of its columns, which are called c1, c2, …, and the queries it was made of."""

    sql: str
    kinds: tuple[str, ...]
    parts: tuple[Made, ...] = ()

    @property
    def names(self) -> list[str]:
        return [f"c{i + 1}" for i in range(len(self.kinds))]

    def __repr__(self) -> str:
        return self.sql

    def item(self, alias: str) -> str:
        """This query as an item of FROM."""
        return f"({self.sql}) {alias}"

    def columns(self, alias: str, kinds: Iterable[str] = ()) -> list[str]:
        return [sql for sql, kind in self.typed(alias) if not kinds or kind in kinds]

    def typed(self, alias: str) -> list[Typed]:
        return [(f"{alias}.{name}", kind) for name, kind in zip(self.names, self.kinds, strict=True)]

    def all(self, alias: str) -> str:
        """All columns, as an order that leaves nothing open."""
        return ", ".join(self.columns(alias))


@dataclass(frozen=True, slots=True)
class World:
    """What queries are drawn over, and how deep; `below` draws a query for an operator to stand upon."""

    sources: tuple[Source, ...]
    depth: int
    query: Callable[[Draw, World], Made]

    def below(self, draw: Draw) -> Made:
        """The query that an operator stands upon: one operator less high."""
        return self.query(draw, World(self.sources, self.depth - 1, self.query))

    def beside(self, draw: Draw) -> Made:
        """Another query that an operator reads: seldom as high."""
        depth = draw(st.sampled_from((0, 0, 0, 0, 1, 1, 2)))
        return self.query(draw, World(self.sources, min(depth, self.depth - 1), self.query))

    def source(self, draw: Draw, kind: str = "int") -> tuple[Source, str]:
        """One of the tables, and one of its columns of a kind; each table has an int and a text."""
        source = draw(st.sampled_from(self.sources))
        return source, draw(st.sampled_from([name for name, k in source.columns if k == kind]))


def select(targets: Sequence[Typed], rest: str, parts: Sequence[Made], word: str = "", head: str = "") -> Made:
    """SELECT these, called c1, c2, …"""
    shown = ", ".join(f"{sql} AS c{i + 1}" for i, (sql, _) in enumerate(targets))
    return Made(f"{head}SELECT {word}{shown} {rest}", tuple(kind for _, kind in targets), tuple(parts))


def some(draw: Draw, typed: Sequence[Typed], most: int = 3) -> list[Typed]:
    """A few of the columns, in any order."""
    return draw(st.lists(st.sampled_from(typed), min_size=1, max_size=most, unique=True))


def one(draw: Draw, typed: Sequence[Typed], kinds: Iterable[str] = (), otherwise: Typed = ("1", "int")) -> Typed:
    """One of the columns of these kinds, or something else where there is none."""
    able = [t for t in typed if not kinds or t[1] in kinds]
    return draw(st.sampled_from(able)) if able else otherwise


def pair(draw: Draw, left: Sequence[Typed], right: Sequence[Typed]) -> tuple[str, str, str]:
    """Two columns of one kind, one of each side, and the kind; two constants where there are none."""
    pairs = [(a, b, kind) for a, kind in left for b, other in right if kind == other]
    return draw(st.sampled_from(pairs)) if pairs else ("1", "1", "int")


def pick(draw: Draw, forms: Sequence[str]) -> str:
    return draw(st.sampled_from(forms))


def seldom(draw: Draw, one_in: int = 4) -> bool:
    return draw(st.integers(1, one_in)) == one_in
