"""ARRAY (SELECT x … ORDER BY y)  =  COALESCE((SELECT array_agg(x ORDER BY y) …), '{}')"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.facts import Facts
from trickle.ivm.query.clauses import has_limit
from trickle.ivm.query.grouping import function_name
from trickle.ivm.query.windows import calls_windows
from trickle.ivm.syntax import own_nodes


def array_slot(part: pb.Node) -> pb.Node:
    """Replace an ARRAY subquery by COALESCE(slot, '{}'), and return the slot that its value goes into."""
    part.coalesce_expr.args.add()
    part.coalesce_expr.args.add().a_const.sval.sval = "{}"
    slot: pb.Node = part.coalesce_expr.args[0]
    return slot


def gathered(link: pb.SubLink, facts: Facts) -> None:
    """Turn an ARRAY subquery into a scalar one that aggregates.

    Raises:
        Unsupported: it groups, limits or combines its rows first.
    """
    select = link.subselect.select_stmt
    steps = select.group_clause or select.distinct_clause or select.values_lists or has_limit(select)
    plain = select.op == pb.SETOP_NONE and not steps and not select.having_clause.WhichOneof("node")
    value = pb.Node()
    if plain:
        value.CopyFrom(select.target_list[0].res_target.val)
    special = {(f.schema, f.name) for f in facts.functions if f.kind == "a" or f.returns_set}
    called = {function_name(n.func_call) for n in own_nodes(value) if n.WhichOneof("node") == "func_call"}
    if not plain or called & special or calls_windows([value]):
        raise Unsupported("ARRAY (subquery) that groups, limits or combines rows has no delta rule yet")
    call = select.target_list[0].res_target.val.func_call
    call.funcname.add().string.sval = "array_agg"
    call.funcformat = pb.COERCE_EXPLICIT_CALL
    call.args.add().CopyFrom(value)
    call.agg_order.extend(select.sort_clause)
    del select.sort_clause[:]
    link.sub_link_type = pb.EXPR_SUBLINK
