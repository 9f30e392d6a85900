"""Random statements over a table, from one row to the whole of it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from property.worlds import Column, Table

KINDS = (
    *("insert", "insert", "insert", "update", "update", "update", "delete", "delete"),
    *("again", "touch", "copy", "upsert", "merge", "swap", "clear", "truncate"),
)


def value(column: Column) -> st.SearchStrategy[str]:
    """A literal for the column; NULL about once in four where it is allowed."""
    literal = st.sampled_from(column.type.literals)
    if column.not_null:
        return literal
    return st.integers(0, 3).flatmap(lambda n: st.just("NULL") if n == 0 else literal)


def row(table: Table) -> st.SearchStrategy[str]:
    return st.tuples(*(value(c) for c in table.columns)).map(lambda values: f"({', '.join(values)})")


def rows(table: Table, least: int = 1, most: int = 6) -> st.SearchStrategy[str]:
    return st.lists(row(table), min_size=least, max_size=most).map(", ".join)


def fill(table: Table) -> st.SearchStrategy[str]:
    """The rows a table begins with; those that break its key are left out."""
    return rows(table, 1, 10).map(lambda text: f"INSERT INTO {table.sql} VALUES {text} ON CONFLICT DO NOTHING")


@st.composite
def condition(draw: st.DrawFn, table: Table) -> str:
    """Which rows: those with a value in a column, or those without."""
    column = draw(st.sampled_from([c for c in table.columns if c.type.groups]))
    if not column.not_null and draw(st.integers(0, 3)) == 0:
        return f"{column.sql} IS NULL"
    literal = draw(st.sampled_from(column.type.literals))
    if column.type.orders and draw(st.booleans()):
        return f"{column.sql} >= {literal}"
    return f"{column.sql} = {literal}"


@st.composite
def statement(draw: st.DrawFn, table: Table, kinds: Sequence[str] = KINDS) -> str:
    """One statement; it may break a constraint, and then has no effect."""
    kind = draw(st.sampled_from(kinds))
    name = table.sql
    match kind:
        case "insert":
            return f"INSERT INTO {name} VALUES {draw(rows(table))} ON CONFLICT DO NOTHING"
        case "update":
            columns = draw(st.lists(st.sampled_from(table.columns), min_size=1, max_size=3, unique=True))
            settings = ", ".join(f"{c.sql} = {draw(value(c))}" for c in columns)
            return f"UPDATE {name} SET {settings} WHERE {draw(condition(table))}"
        case "delete":
            return f"DELETE FROM {name} WHERE {draw(condition(table))}"
        case "again":
            # One of several equal rows, where there is no key to tell them apart.
            return f"DELETE FROM {name} WHERE ctid = (SELECT min(ctid) FROM {name} WHERE {draw(condition(table))})"
        case "touch":
            column = draw(st.sampled_from(table.columns))
            return f"UPDATE {name} SET {column.sql} = {column.sql}"
        case "copy":
            return f"INSERT INTO {name} SELECT * FROM {name} LIMIT 5 ON CONFLICT DO NOTHING"
        case "upsert":
            return draw(_upsert(table))
        case "merge":
            return draw(_merge(table))
        case "swap":
            return draw(_swap(table))
        case "clear":
            return f"DELETE FROM {name}"
        case _:
            return f"TRUNCATE {name}"


@st.composite
def _upsert(draw: st.DrawFn, table: Table) -> str:
    if not table.key:
        return f"INSERT INTO {table.sql} VALUES {draw(row(table))}"
    key = ", ".join(c.sql for c in table.key_columns)
    column = draw(st.sampled_from(table.columns))
    return (
        f"INSERT INTO {table.sql} VALUES {draw(rows(table, 1, 3))}"
        f" ON CONFLICT ({key}) DO UPDATE SET {column.sql} = {draw(value(column))}"
    )


@st.composite
def _merge(draw: st.DrawFn, table: Table) -> str:
    on = draw(st.sampled_from([c for c in table.columns if c.type.groups]))
    column = draw(st.sampled_from(table.columns))
    return (
        f"MERGE INTO {table.sql} t USING (VALUES ({draw(value(on))}::{on.type.sql})) s (k) ON t.{on.sql} = s.k"
        f" WHEN MATCHED AND t.{column.sql} IS NULL THEN DELETE"
        f" WHEN MATCHED THEN UPDATE SET {column.sql} = {draw(value(column))}"
        f" WHEN NOT MATCHED THEN INSERT VALUES {draw(row(table))}"
    )


@st.composite
def _swap(draw: st.DrawFn, table: Table) -> str:
    """Two rows exchange what identifies them, in one statement where the key allows it."""
    column = draw(st.sampled_from(table.key_columns or [c for c in table.columns if c.type.groups]))
    a, b = draw(st.permutations(column.type.literals))[:2]
    return (
        f"UPDATE {table.sql} SET {column.sql} = CASE WHEN {column.sql} = {a} THEN {b} ELSE {a} END"
        f" WHERE {column.sql} IN ({a}, {b})"
    )
