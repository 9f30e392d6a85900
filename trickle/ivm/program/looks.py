"""Of the equal values of a group, the one that it shows: that whose image comes first.

1.0 and 1.00 are equal, and PostgreSQL shows whichever it reads first. A group that is computed twice has to look the
same both times, or the row that is to be taken away is not the row that is stored. Arrays cannot be elements of an
array of one more dimension, unless they are all of one size: they are compared by their text, and made of it again.
"""

from __future__ import annotations

from trickle.ivm.algebra.scalars import Scalar, expression
from trickle.ivm.query.grouping import function_name


def shown_key(key: Scalar, type_name: str) -> Scalar:
    """The value that a group shows for its key, of the values of `type_name` that are equal to it."""
    return _first("", type_name, a=key)


def shown_extreme(call: Scalar, type_name: str) -> Scalar:
    """The value that min or max shows, of the values of `type_name` that are as small or as great."""
    node = call.node.func_call
    order = "a, " if function_name(node)[1] == "min" else "a DESC NULLS LAST, "
    parts = {"a": Scalar(node.args[0])}
    if node.agg_filter.WhichOneof("node"):
        parts["f"] = Scalar(node.agg_filter)
    return _first(order, type_name, **parts)


def _first(order: str, type_name: str, **parts: Scalar) -> Scalar:
    condition = " FILTER (WHERE f)" if "f" in parts else ""
    if type_name.endswith("[]"):
        texts = f'array_agg(a::text ORDER BY {order}a::text COLLATE "C"){condition}'
        return expression(f"({texts})[1]::{type_name}", **parts)
    values = f"array_agg(a ORDER BY {order}ROW(a) USING OPERATOR(pg_catalog.*<)){condition}"
    return expression(f"({values})[1]", **parts)
