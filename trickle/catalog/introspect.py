"""Facts out of PostgreSQL: one query view in, everything the compiler may know about it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.rows import dict_row

from trickle.ivm import ColumnFacts, Facts, FunctionFacts, RelationFacts
from trickle.sql import load

Connection = psycopg.Connection[Any]
_PROBE = "pgtrickle_programs.described"


def read_facts(conn: Connection, view_oid: int, settings: Mapping[str, str] | None = None) -> Facts:
    """Read the facts of a bound query.

    Args:
        conn: a connection that may read the catalog.
        view_oid: the view that holds the query, wrapped as `SELECT * FROM (…) __pgt_q`.
        settings: session settings to pin on the program.

    Raises:
        psycopg.Error: the server refused; nothing was changed.
    """
    query = _one(conn, "facts_query", view=view_oid)
    relations = _all(conn, "facts_relations", view=view_oid)
    columns = _columns(conn, [view_oid, *(r["oid"] for r in relations)])
    return Facts(
        query=query["query"],
        output=tuple(columns.get(view_oid, ())),
        relations=tuple(_relation(r, columns.get(r["oid"], ())) for r in relations),
        functions=tuple(FunctionFacts(**row) for row in _all(conn, "facts_functions", view=view_oid)),
        settings=dict(settings or {}),
        server_version=query["server_version"],
    )


def describe(conn: Connection, questions: Iterable[str]) -> dict[str, str]:
    """Ask the server for the type of the one column of each query; the compiler asks for no row of it."""
    types: dict[str, str] = {}
    for question in questions:
        with conn.cursor() as cursor:
            cursor.execute(question.encode())
            description = cursor.description
        if description is None:
            continue
        row = conn.execute(
            "SELECT pgtrickle._type_name(pgtrickle._base_type(%s::oid), NULL)", [description[0].type_code]
        ).fetchone()
        if row is not None:
            types[question] = row[0]
    return types


def describe_columns(conn: Connection, queries: Iterable[str]) -> dict[str, tuple[ColumnFacts, ...]]:
    """Ask the server for the columns of each query, as of a view that is gone again at once.

    A query whose rows no table could hold, such as rows without a type, has no columns.
    """
    described: dict[str, tuple[ColumnFacts, ...]] = {}
    for query in queries:
        described[query] = ()
        with suppress(psycopg.errors.InvalidTableDefinition), conn.transaction(force_rollback=True):
            conn.execute(f"CREATE VIEW {_PROBE} AS\n{query}".encode())
            row = conn.execute("SELECT %s::regclass::oid::int8", [_PROBE]).fetchone()
            if row is not None:
                described[query] = tuple(_columns(conn, [row[0]])[row[0]])
    return described


def _relation(row: Mapping[str, Any], columns: Iterable[ColumnFacts]) -> RelationFacts:
    key = tuple(row["key"])
    return RelationFacts(
        oid=row["oid"],
        schema=row["schema"],
        name=row["name"],
        kind=row["kind"],
        columns=tuple(columns),
        keys=(key,) if key else (),
        view_sql=row["view_sql"],
        has_children=row["has_children"],
        row_security=row["row_security"],
        readable=row["readable"],
        buffer=row["buffer"],
        captured=tuple(row["captured"]),
        rows=row["rows"],
        copied_to=row["copied_to"],
    )


def _columns(conn: Connection, relations: list[int]) -> dict[int, list[ColumnFacts]]:
    found: dict[int, list[ColumnFacts]] = {}
    for row in _all(conn, "facts_columns", relations=relations):
        found.setdefault(row.pop("relid"), []).append(ColumnFacts(**row))
    return found


def _all(conn: Connection, name: str, **parameters: object) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load(f"queries/{name}").encode(), parameters).fetchall()


def _one(conn: Connection, name: str, **parameters: object) -> dict[str, Any]:
    return _all(conn, name, **parameters)[0]
