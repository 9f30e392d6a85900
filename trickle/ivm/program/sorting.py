"""ORDER BY as text."""

from __future__ import annotations

from collections.abc import Callable

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.scalars import Scalar, column_number
from trickle.ivm.program.quote import ident

_DIRECTIONS = {pb.SORTBY_DESC: " DESC"}
_NULLS = {pb.SORTBY_NULLS_FIRST: " NULLS FIRST", pb.SORTBY_NULLS_LAST: " NULLS LAST"}


def sort_keys(call: Scalar, name: Callable[[int], str]) -> tuple[str, ...]:
    """PARTITION BY and ORDER BY of a window function over plain columns, as the keys of an ORDER BY.

    PostgreSQL sorts a column of PARTITION BY in the direction that ORDER BY gives it, if it does: rows that are sorted
    in another one would be sorted again, and lose the order of those that tie.
    """
    over = call.node.func_call.over
    sorted_by: dict[int, str] = {}
    for node in over.order_clause:
        sorted_by.setdefault(column_number(node.sort_by.node), _sort_key(node.sort_by, name))
    partition = [column_number(node) for node in over.partition_clause]
    return (*(sorted_by.get(number, name(number)) for number in partition), *sorted_by.values())


def _sort_key(key: pb.SortBy, name: Callable[[int], str]) -> str:
    text = name(column_number(key.node))
    if key.sortby_dir == pb.SORTBY_USING:
        schema, operator = (["pg_catalog"] + [part.string.sval for part in key.use_op])[-2:]
        text += f" USING OPERATOR({ident(schema)}.{operator})"
    return text + _DIRECTIONS.get(key.sortby_dir, "") + _NULLS.get(key.sortby_nulls, "")
