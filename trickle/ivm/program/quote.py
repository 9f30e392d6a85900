"""The only quoting of identifiers and literals in generated SQL."""

from __future__ import annotations

from functools import lru_cache

from postgast import pg_query_pb2 as pb

from trickle.ivm.syntax import deparse_expression


@lru_cache(maxsize=4096)
def ident(*parts: str) -> str:
    """Quote a (qualified) identifier, only where PostgreSQL needs it.

    >>> ident("shop", "Order")
    'shop."Order"'
    """
    node = pb.Node()
    for part in parts:
        node.column_ref.fields.add().string.sval = part
    return deparse_expression(node)


def literal(text: str) -> str:
    """Quote a string literal, whatever it holds.

    >>> literal("it's")
    "'it''s'"
    """
    node = pb.Node()
    node.a_const.sval.sval = text
    return deparse_expression(node)
