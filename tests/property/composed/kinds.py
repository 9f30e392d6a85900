"""The kinds of columns that queries are composed over.

`money` is a numeric that always has two places, so equal values look alike; equal values of `loose` may differ in
places, so nothing may be made of one that shows them.
"""

from __future__ import annotations

from property.types import Type

INT = Type("integer", ("1", "1", "1", "0", "2", "3"), "int")
TEXT = Type("text", ("'a'", "'a'", "'b'", "''", "'B c'"), "text")
MONEY = Type("numeric(8,2)", ("1.00", "1.00", "0", "2.50", "-3.25"), "money")
LOOSE = Type("numeric", ("1", "1.0", "1.00", "2.5", "2.500"), "loose")
DATE = Type("date", ("'2024-02-29'", "'2024-02-29'", "'2024-03-01'", "'2023-12-31'"), "date")
STAMP = Type("timestamp", ("'2024-02-29 10:00'", "'2024-02-29 10:00'", "'2024-03-01'", "'2023-12-31 23:59'"), "stamp")
BOOL = Type("boolean", ("true", "true", "false"), "bool", orders=False)

KINDS = {type.family: type for type in (INT, TEXT, MONEY, LOOSE, DATE, STAMP, BOOL)}
ORDERED = frozenset(kind for kind, type in KINDS.items() if type.orders)
SHOWN = frozenset({"int", "text", "money", "date", "stamp", "bool"})
"""Kinds whose equal values look alike."""

# Expressions of the same kind over a value of it.
FORMS = {
    "int": ("({x} + 1) % 5", "coalesce({x}, 7)", "abs({x} - 2)", "CASE WHEN {x} > 1 THEN {x} ELSE 0 END", "-{x}"),
    "text": ("upper({x})", "coalesce({x}, 'z')", "left({x} || 'y', 2)", "nullif({x}, '')", "{x} || {x}"),
    "money": ("({x} + 0.25)", "coalesce({x}, 9.00)", "-{x}", "greatest({x}, 1.00)"),
    "loose": ("({x} * 2)", "coalesce({x}, 1.000)", "nullif({x}, 1.0)"),
    "date": ("({x} + 1)", "coalesce({x}, DATE '2024-01-01')", "least({x}, DATE '2024-02-29')"),
    "stamp": ("({x} + interval '1 day')", "date_trunc('day', {x})", "coalesce({x}, TIMESTAMP '2024-01-01')"),
    "bool": ("NOT {x}", "{x} IS NOT TRUE", "coalesce({x}, false)"),
}
# Expressions of another kind.
TURNED = {
    "int": (
        ("{x}::text", "text"),
        ("{x} > 1", "bool"),
        ("{x}::numeric(8,2)", "money"),
        ("DATE '2024-02-28' + {x}", "date"),
    ),
    "text": (("length({x})", "int"), ("{x} LIKE 'a%'", "bool"), ("ascii({x})", "int")),
    "money": (("{x}::int", "int"), ("{x} > 1", "bool"), ("{x}::text", "text"), ("{x} / 3", "loose")),
    "loose": (("{x} > 1", "bool"), ("{x}::int", "int"), ("{x}::numeric(8,2)", "money")),
    "date": (("extract(day FROM {x})::int", "int"), ("{x}::timestamp", "stamp"), ("to_char({x}, 'MM')", "text")),
    "stamp": (("{x}::date", "date"), ("extract(hour FROM {x})::int", "int"), ("{x}::text", "text")),
    "bool": (("{x}::int", "int"), ("CASE WHEN {x} THEN 'yes' ELSE 'no' END", "text")),
}
