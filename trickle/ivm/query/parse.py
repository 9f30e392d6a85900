"""The one door to libpg_query: text in, trees out, and back.

protobuf refuses trees nested deeper than 100, which ordinary SQL exceeds (47 chained `||`); the limit is
lifted here, before the first parse, so every other file may assume any depth.
"""

from __future__ import annotations

from collections.abc import Iterator

import postgast
from google._upb import _message
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from postgast import pg_query_pb2 as pb

from trickle.errors import DefinitionError

_message.SetAllowOversizeProtos(True)


def parse_select(sql: str) -> pb.SelectStmt:
    """Parse one SELECT, WITH or VALUES statement.

    Raises:
        DefinitionError: not exactly one such statement, a syntax error, or nesting beyond what can be read.
    """
    try:
        statements = postgast.parse(sql).stmts
    except postgast.PgQueryError as error:
        raise DefinitionError(f"syntax error in the defining query: {error}") from error
    except DecodeError as error:
        raise DefinitionError("the defining query is nested too deeply to be read") from error
    if len(statements) != 1 or statements[0].stmt.WhichOneof("node") != "select_stmt":
        raise DefinitionError(
            "a defining query must be exactly one SELECT, WITH … SELECT or VALUES statement",
            hint="remove other statements and anything that writes",
        )
    select = statements[0].stmt.select_stmt
    strip_locations(select)
    return select


def parse_expression(sql: str) -> pb.Node:
    """Parse one scalar expression written by the compiler itself."""
    node = pb.Node()
    node.CopyFrom(parse_select(f"SELECT {sql}").target_list[0].res_target.val)
    return node


def deparse_expression(node: pb.Node) -> str:
    """Print a scalar expression as PostgreSQL would read it."""
    result = pb.ParseResult()
    target = result.stmts.add().stmt.select_stmt
    target.limit_option = pb.LIMIT_OPTION_DEFAULT
    target.op = pb.SETOP_NONE
    target.target_list.add().res_target.val.CopyFrom(node)
    return postgast.deparse(result).removeprefix("SELECT ")


def nodes(root: Message) -> Iterator[pb.Node]:
    """Yield every `Node` below `root`, outermost first, without recursion (trees may be thousands deep).

    The children are noted before a node is handed out, so a consumer may overwrite it: the walk never
    enters what was put in its place.
    """
    stack: list[Message] = [root]
    while stack:
        message = stack.pop()
        children: list[Message] = []
        for descriptor, value in message.ListFields():
            if descriptor.type != FieldDescriptor.TYPE_MESSAGE:
                continue
            if isinstance(value, Message):
                children.append(value)
            else:
                children.extend(value)
        stack.extend(reversed(children))
        if isinstance(message, pb.Node):
            yield message


def strip_locations(root: Message) -> None:
    """Forget where in the text each token stood, so that equal expressions are equal trees."""
    stack: list[Message] = [root]
    while stack:
        message = stack.pop()
        for descriptor, value in message.ListFields():
            if descriptor.type == FieldDescriptor.TYPE_MESSAGE:
                stack.extend([value] if isinstance(value, Message) else list(value))
            elif descriptor.name in ("location", "stmt_location", "stmt_len"):
                message.ClearField(descriptor.name)
