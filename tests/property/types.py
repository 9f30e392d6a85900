"""Column types and their few values: few, so that everything collides; odd, so that equality is tried.

A value is the text of an SQL literal; NULL is drawn beside them everywhere a column allows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, repr=False)
class Type:
    """A column type: how it is written, what it can hold, and what can be done with it."""

    sql: str
    values: tuple[str, ...]
    family: str
    groups: bool = True
    """Has a default equality: may stand in GROUP BY, DISTINCT, UNION and joins."""
    orders: bool = True
    """Has min(), max() and <."""

    def __repr__(self) -> str:
        return self.sql

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.sql)

    @property
    def literals(self) -> tuple[str, ...]:
        """The values, each with its type said."""
        return tuple(f"{value}::{self.sql}" for value in self.values)


INT = Type("integer", ("0", "1", "2", "-1"), "number")
SMALLINT = Type("smallint", ("0", "1", "7"), "number")
BIGINT = Type("bigint", ("1", "2", "9007199254740993"), "number")
NUMERIC = Type(
    "numeric", ("1", "1.0", "1.00000000000000000000000", "2.5", "'NaN'", "'Infinity'", "'-Infinity'"), "number"
)
MONEY = Type("numeric(10,2)", ("0", "1.10", "2.25", "-3"), "number")
FLOAT = Type("double precision", ("0", "'-0'", "0.5", "0.25", "1e100", "'NaN'", "'Infinity'"), "number")
TEXT = Type("text", ("'a'", "'b'", "''", "'A'", "'it''s'", "'ä'"), "text")
VARCHAR = Type("varchar(4)", ("'a'", "'b'", "'abcd'"), "text")
CHAR = Type("char(3)", ("'a'", "'b'", "'ab'"), "char")
BOOLEAN = Type("boolean", ("true", "false"), "boolean", orders=False)
DATE = Type("date", ("'2024-01-31'", "'2024-02-29'", "'infinity'"), "date")
TIMESTAMPTZ = Type("timestamptz", ("'2024-03-31 01:30+00'", "'2024-03-31 02:30+01'", "'epoch'"), "moment")
INTERVAL = Type("interval", ("'1 day'", "'24 hours'", "'1 month'"), "interval")
JSONB = Type("jsonb", ("'{\"a\": 1}'", "'{\"a\": 1.0}'", "'[]'", "'null'"), "jsonb", orders=False)
JSON = Type("json", ("'{\"a\": 1}'", "'{\"a\":1}'", "'[]'"), "json", groups=False, orders=False)
JSONS = Type("json[]", ("'{}'", '\'{"[1]","[2]"}\'', "'{\"[1]\"}'"), "jsons", groups=False, orders=False)
POINT = Type("point", ("'(0,0)'", "'(1,2)'"), "point", groups=False, orders=False)
INTS = Type("integer[]", ("'{}'", "'{1}'", "'{1,2}'", "'{NULL}'"), "ints")
TEXTS = Type("text[]", ("'{a}'", "'{a,b}'", "'{}'"), "texts")
BYTEA = Type("bytea", (r"'\x00'", r"'\xff00'", "''"), "bytea", orders=False)
UUID = Type(
    "uuid",
    ("'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"),
    "uuid",
    orders=False,
)
MOOD = Type("mood", ("'sad'", "'ok'", "'happy'"), "mood")
POSITIVE = Type("positive", ("1", "2"), "number")

ALL = (
    *(INT, SMALLINT, BIGINT, NUMERIC, MONEY, FLOAT, TEXT, VARCHAR, CHAR, BOOLEAN, DATE, TIMESTAMPTZ),
    *(INTERVAL, JSONB, JSON, JSONS, POINT, INTS, TEXTS, BYTEA, UUID, MOOD, POSITIVE),
)
# Drawn half of the time, so that sums and joins have something to work on.
COMMON = (INT, INT, BIGINT, MONEY, MONEY, NUMERIC, FLOAT, TEXT, BOOLEAN)
SETUP = (
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
)
NUMBERS = tuple(type for type in ALL if type.family == "number")
SUMMABLE = tuple(type for type in NUMBERS if type is not POSITIVE)
