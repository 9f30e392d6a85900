"""A whole case as plain text: tables, their first rows, queries, and changes in cycles; and how one is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from property.composed.made import Made, Source
from property.composed.schemas import schema, source
from property.composed.steps import composed
from property.writes import fill, statement

QUERIES, ABOVE, CYCLES = 11, 3, 5
"""Queries over the tables of a story, queries that may read those as well, and refreshes of each."""

KINDS = (
    *("insert", "insert", "insert", "update", "update", "update", "delete", "delete", "again"),
    *("touch", "copy", "upsert", "merge", "swap", "clear"),
)


@dataclass(frozen=True, slots=True)
class Query:
    """A stream table of the story."""

    name: str
    made: Made

    @property
    def source(self) -> Source:
        return Source(self.name, tuple(zip(self.made.names, self.made.kinds, strict=True)))


@dataclass(frozen=True, slots=True)
class Story:
    """What is run, in order. Each batch of a cycle is one transaction; after each cycle everything is refreshed."""

    sources: tuple[Source, ...]
    setup: tuple[str, ...]
    queries: tuple[Query, ...]
    cycles: tuple[tuple[tuple[str, ...], ...], ...]

    def script(self) -> str:
        """All of it as one SQL script."""
        lines = [*self.setup]
        lines += [
            f"SELECT pgtrickle.create_stream_table('{query.name}', $q${query.made.sql}$q$,"
            " refresh_mode => 'DIFFERENTIAL')"
            for query in self.queries
        ]
        for cycle in self.cycles:
            for batch in cycle:
                lines += batch if len(batch) == 1 else ["BEGIN", *batch, "COMMIT"]
            lines += [f"SELECT pgtrickle.refresh_stream_table('{query.name}')" for query in self.queries]
        return ";\n".join(lines) + ";"


@st.composite
def stories(draw: st.DrawFn) -> Story:
    tables = draw(schema())
    bases = [source(table) for table in tables]
    first = draw(st.lists(composed(bases), min_size=QUERIES, max_size=QUERIES))
    queries = [Query(f"st{i}", made) for i, made in enumerate(first)]
    readable = [query.source for query in queries if _readable(query)] or bases
    for i in range(ABOVE):
        # A table beside the stream table: the operators look for an integer and a text.
        made = draw(composed([draw(st.sampled_from(readable)), draw(st.sampled_from(bases))], 2, 3))
        queries.append(Query(f"above{i}", made))
    setup = [text for table in tables for text in (*table.ddl, draw(fill(table)))]
    changes = st.sampled_from(tables).flatmap(lambda table: statement(table, KINDS))
    batch = st.lists(changes, min_size=1, max_size=3).map(tuple)
    cycle = st.lists(batch, min_size=1, max_size=3).map(tuple)
    cycles = draw(st.lists(cycle, min_size=CYCLES, max_size=CYCLES).map(tuple))
    return Story(tuple(bases), tuple(setup), tuple(queries), cycles)


def _readable(query: Query) -> bool:
    """Can it stand where a table stands? Operators look for an integer and a text in each."""
    return {"int", "text"} <= set(query.made.kinds)
