"""How a story is played: every stream table is refreshed and compared after each cycle, each in one round trip.

What is insisted on is what a trial insists on (see `property.trial`): it was compiled, the refresh was differential, it
equals its query as a bag and by its text where equal values look alike, its state tables equal their views, no hidden
counter is below zero, and refreshing again says NO_DATA and touches no row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

import trickle
from property.composed.kinds import SHOWN
from property.composed.story import Query, Story
from property.worlds import quoted
from trickle.errors import TrickleError

MOST_ROWS = 3000
REFUSED = (psycopg.errors.IntegrityError, psycopg.errors.DataError, psycopg.errors.CardinalityViolation)


@dataclass(slots=True)
class Outcome:
    """What came of a story: how many queries were followed to the end, those that were not tried, and the failures."""

    followed: int = 0
    untried: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Followed:
    """A stream table under trial, and the statement that finds its faults."""

    name: str
    pgt_id: int
    reads: str
    faults: str


def play(client: trickle.Client, story: Story) -> Outcome:
    """Play all of it; a stream table that fails is not looked at again."""
    outcome = Outcome()
    with _schema(client) as connection:
        for statement in story.setup:
            _run(connection, (statement,))
        tables = [table for query in story.queries if (table := _create(client, query, outcome)) is not None]
        for cycle in story.cycles:
            for batch in cycle:
                _run(connection, batch)
            for table in tables:
                _follow(connection, table, outcome)
            tables = [table for table in tables if table.name not in outcome.failures | outcome.untried]
            _again(connection, tables, outcome)
        outcome.followed = len(tables)
        _drop(client)
    return outcome


def _run(connection: psycopg.Connection[Any], batch: tuple[str, ...]) -> None:
    """Run the statements in one transaction; one that breaks a constraint has no effect."""
    if len(batch) == 1:
        with suppress(*REFUSED):
            connection.execute(batch[0].encode())
        return
    guarded = "EXCEPTION WHEN integrity_constraint_violation OR data_exception OR cardinality_violation THEN NULL;"
    body = "\n".join(f"BEGIN {statement}; {guarded} END;" for statement in batch)
    connection.execute(f"DO $do$ BEGIN\n{body}\nEND $do$".encode())


def _create(client: trickle.Client, query: Query, outcome: Outcome) -> Followed | None:
    connection = client.connection
    try:
        row = connection.execute(f"SELECT count(*) FROM ({query.made.sql}) q".encode()).fetchone()
    except psycopg.Error as error:
        outcome.untried[query.name] = str(error)
        return None
    if row is None or row[0] > MOST_ROWS:
        outcome.untried[query.name] = "too many rows"
        return None
    try:
        client.create_stream_table(query.name, query.made.sql, refresh_mode="DIFFERENTIAL")
        row = connection.execute(
            "SELECT s.pgt_id, s.program_state, s.program_reason,"
            " ARRAY(SELECT attname::text FROM pg_attribute a WHERE a.attrelid = s.pgt_relid AND a.attnum > 0"
            " AND NOT a.attisdropped AND starts_with(attname, '__pgt_count')),"
            " ARRAY(SELECT ARRAY[state::text, view::text] FROM pgtrickle._state_tables(s.pgt_id))"
            " FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = %s::regclass",
            (query.name,),
        ).fetchone()
        if row is not None and row[2] == "nothing this query reads can change":
            outcome.untried[query.name] = row[2]
            return None
        if row is None or row[1] != "compiled":
            outcome.failures[query.name] = f"not compiled: {row}"
            return None
        table = Followed(query.name, row[0], query.made.sql, _faults(query, row[3], row[4]))
        _check(connection, table)
    except (TrickleError, psycopg.Error, AssertionError) as error:
        outcome.failures[query.name] = f"when created: {error!r}"
        return None
    return table


def _faults(query: Query, counters: list[str], states: list[list[str]]) -> str:
    """One statement that has a row for everything that is wrong."""
    shown = ", ".join(
        f"{name}::text" if kind in SHOWN - {"money"} else name
        for name, kind in zip(query.made.names, query.made.kinds, strict=True)
    )
    ctes = [
        f"q AS MATERIALIZED (SELECT {shown} FROM ({query.made.sql}) q)",
        f"s AS MATERIALIZED (SELECT {shown} FROM {query.name})",
    ]
    found = _both_ways("row", "q", "s")
    for i, (state, view) in enumerate(states):
        ctes += [f"v{i} AS MATERIALIZED (TABLE {view})", f"t{i} AS MATERIALIZED (TABLE {state})"]
        found += _both_ways(f"row of {state}", f"v{i}", f"t{i}")
    for name in counters:
        found.append(
            f"SELECT 'counter', t::text FROM {query.name} t WHERE {quoted(name)} < 0 OR {quoted(name)} IS NULL"
        )
    return f"WITH {', '.join(ctes)} {' UNION ALL '.join(found)}"


def _both_ways(what: str, right: str, stored: str) -> list[str]:
    return [
        f"SELECT 'missing {what}', x::text FROM (TABLE {right} EXCEPT ALL TABLE {stored}) x",
        f"SELECT 'extra {what}', x::text FROM (TABLE {stored} EXCEPT ALL TABLE {right}) x",
    ]


def _check(connection: psycopg.Connection[Any], table: Followed) -> None:
    faults = connection.execute(table.faults.encode(), prepare=True).fetchall()
    assert not faults, "\n".join(map(str, faults))


def _follow(connection: psycopg.Connection[Any], table: Followed, outcome: Outcome) -> None:
    """Refresh it and compare; one that has grown over all bounds is compared once more and then left, with its readers.

    A recursion may do so, and what is asked of so many rows takes PostgreSQL itself minutes."""
    if any(re.search(rf"\b{name}\b", table.reads) for name in outcome.untried):
        outcome.untried[table.name] = "reads one that was left"
        return
    _refresh(connection, table, outcome)
    rows = connection.execute(f"SELECT count(*) FROM {table.name}".encode(), prepare=True).fetchone()
    if rows is None or rows[0] > MOST_ROWS:
        outcome.untried[table.name] = "too many rows"


def _refresh(connection: psycopg.Connection[Any], table: Followed, outcome: Outcome) -> None:
    try:
        done = connection.execute(
            "SELECT (r).action, (r).reason FROM pgtrickle._refresh(%s) r", (table.pgt_id,), prepare=True
        ).fetchone()
        assert done is not None and done[0] in ("NO_DATA", "DIFFERENTIAL"), f"refreshed {done}"
        _check(connection, table)
    except (psycopg.Error, AssertionError) as error:
        outcome.failures[table.name] = f"{type(error).__name__}: {error}"


def _again(connection: psycopg.Connection[Any], tables: list[Followed], outcome: Outcome) -> None:
    """Refresh all of them with nothing new."""
    if not tables:
        return
    places = " UNION ALL ".join(
        f"(SELECT {i}, md5(string_agg(ctid::text || xmin::text, ' ' ORDER BY ctid)) FROM {table.name})"
        for i, table in enumerate(tables)
    )
    # Without an order they come as parallel workers finish.
    places += " ORDER BY 1"
    before = connection.execute(places.encode()).fetchall()
    actions = connection.execute(
        "SELECT i, (SELECT (r).action FROM pgtrickle._refresh(id) r)"
        " FROM unnest(%s::bigint[]) WITH ORDINALITY x(id, i)",
        ([table.pgt_id for table in tables],),
        prepare=True,
    ).fetchall()
    after = connection.execute(places.encode()).fetchall()
    for table, (_, action), old, new in zip(tables, actions, before, after, strict=True):
        if action != "NO_DATA" or old != new:
            outcome.failures[table.name] = f"a refresh with nothing new did {action}"


@contextmanager
def _schema(client: trickle.Client) -> Iterator[psycopg.Connection[Any]]:
    connection = client.connection
    connection.execute("CREATE SCHEMA story")
    connection.execute("SET search_path = story")
    try:
        yield connection
    finally:
        connection.rollback()
        _drop(client)
        connection.execute("SET search_path = public")
        connection.execute("DROP SCHEMA story CASCADE")


def _drop(client: trickle.Client) -> None:
    """Drop every stream table, the readers before what they read."""
    connection = client.connection
    connection.execute("DEALLOCATE ALL")
    names = connection.execute("SELECT pgt_name FROM pgtrickle.pgt_stream_tables ORDER BY pgt_id DESC").fetchall()
    for (name,) in names:
        client.drop_stream_table(f"story.{quoted(name)}")
