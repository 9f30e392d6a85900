"""Random schemas, data, statements and queries, refreshed differentially for five cycles and more.

Lies it would catch: a delta rule that is right for most inputs; a refresh that silently became FULL; rows that
are equal but not written alike; a counter below zero that happens not to show; writes where nothing changed.
Oracle: PostgreSQL itself, which evaluates the defining query from nothing in the statement that compares.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trickle
from property.queries import Query, Relation, queries
from property.trial import Trial, trial
from property.types import SETUP
from property.worlds import Table, worlds
from property.writes import fill, statement

CYCLES = 7


def play(client: trickle.Client, data: st.DataObject, shapes: Sequence[str] = (), mode: str = "DIFFERENTIAL") -> None:
    """One trial, from nothing to nothing; with `shapes`, over queries of these alone."""
    tables = data.draw(worlds(), "tables")
    setup = [*SETUP, *(ddl for table in tables for ddl in table.ddl)]
    with trial(client, setup, mode) as made:
        for table in tables:
            made.run(data.draw(fill(table)))
        relations = [Relation(table.sql, table.columns) for table in tables]
        relations += _views(made, data, relations)
        _stream_tables(made, data, relations, shapes)
        for _ in range(CYCLES):
            _cycle(made, data, tables)


def _views(made: Trial, data: st.DataObject, relations: Sequence[Relation]) -> list[Relation]:
    views: list[Relation] = []
    if data.draw(st.booleans()):
        query = data.draw(queries(relations, ("rows",)))
        made.run(f"CREATE VIEW seen AS {query.sql}")
        views.append(Relation("seen", query.columns, wide=True))
    return views


def _stream_tables(made: Trial, data: st.DataObject, relations: Sequence[Relation], shapes: Sequence[str]) -> None:
    """Three to five stream tables; later ones may read earlier ones."""
    known = list(relations)
    for number in range(data.draw(st.integers(3, 5))):
        query: Query = data.draw(queries(known, shapes))
        table = made.create(f"st {number}", query.sql)
        known.append(Relation(table.sql, query.columns, wide=query.shape == "rows"))


def _cycle(made: Trial, data: st.DataObject, tables: Sequence[Table]) -> None:
    """A few statements, some of them in one transaction that may roll back; then refresh everything in order."""
    truncated = False
    for _ in range(data.draw(st.integers(1, 5))):
        table = data.draw(st.sampled_from(tables))
        text = data.draw(statement(table))
        truncated |= made.run(text) and text.startswith("TRUNCATE")
        if made.mode == "IMMEDIATE":
            for stream_table in made.stream_tables:
                made.compare(stream_table)
    for stream_table in made.stream_tables:
        action = made.refresh(stream_table, may_be_full=truncated)
        truncated |= action == "FULL"


COMMON = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@settings(COMMON, max_examples=30)
@given(data=st.data())
def test_stream_tables_equal_their_queries(client: trickle.Client, data: st.DataObject) -> None:
    play(client, data)


@settings(COMMON, max_examples=15)
@given(data=st.data())
def test_immediate_stream_tables_equal_their_queries_after_each_statement(
    client: trickle.Client, data: st.DataObject
) -> None:
    play(client, data, mode="IMMEDIATE")


@pytest.mark.full
@pytest.mark.timeout(3600)
@settings(COMMON, max_examples=300)
@given(data=st.data())
def test_immediate_stream_tables_equal_their_queries_after_each_statement_at_length(
    client: trickle.Client, data: st.DataObject
) -> None:
    play(client, data, mode="IMMEDIATE")


@pytest.mark.full
@pytest.mark.timeout(3600)
@settings(COMMON, max_examples=600)
@given(data=st.data())
def test_stream_tables_equal_their_queries_at_length(client: trickle.Client, data: st.DataObject) -> None:
    play(client, data)
