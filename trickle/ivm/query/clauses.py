"""Which clauses does a SELECT have?"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb


def has_limit(select: pb.SelectStmt) -> bool:
    """Does a SELECT keep only some of its rows?"""
    return bool(select.limit_count.WhichOneof("node") or select.limit_offset.WhichOneof("node"))
