"""The one door to libpg_query: text in, trees out, and back.

protobuf refuses trees nested deeper than 100, which ordinary SQL exceeds (47 chained `||`); the limit is
lifted here, before the first parse, so every other file may assume any depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

import postgast
from google._upb import _message
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from postgast import pg_query_pb2 as pb

from trickle.errors import DefinitionError, Unsupported

_message.SetAllowOversizeProtos(True)

REMEMBERED = 4096
"""How many expressions are remembered with their text, of some hundred bytes each."""

PLACES = frozenset({"stmt_len", "list_start", "list_end", "rexpr_list_start", "rexpr_list_end"})
"""Fields beside `…location` that say where in the text something stood."""


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


# Expressions that bind their operands by precedence. libpg_query prints operands without the parentheses that some of
# them need (`(NOT a) IS NULL` comes out as `NOT a IS NULL`), so all of them get their own.
OPERATORS = frozenset(
    {"a_expr", "bool_expr", "null_test", "boolean_test", "collate_clause", "a_indirection", "json_is_predicate"}
)


def deparse_expression(node: pb.Node) -> str:
    """Print a scalar expression so that PostgreSQL reads the very same tree.

    Raises:
        Unsupported: libpg_query cannot print it faithfully, which reading the text back has shown.
    """
    return _deparsed(node.SerializeToString(deterministic=True))


@lru_cache(maxsize=REMEMBERED)
def _deparsed(serialized: bytes) -> str:
    """The text of a tree. One program prints the same few trees again and again, and each is read back."""
    node = pb.Node.FromString(serialized)
    text = _print(node)
    try:
        again = parse_expression(text)
    except DefinitionError as error:
        raise Unsupported(f"the expression {text} cannot be printed") from error
    if again.SerializeToString(deterministic=True) != serialized and _flattened(again) != _flattened(node):
        raise Unsupported(f"the expression {text} cannot be printed faithfully")
    return text


def _flattened(node: pb.Node) -> bytes:
    """Identity of a tree in which `(a OR b) OR c` is `a OR b OR c`, as the grammar reads it."""
    flat = pb.Node()
    flat.CopyFrom(node)
    for found in reversed(list(nodes(flat))):
        if found.WhichOneof("node") == "bool_expr" and found.bool_expr.boolop in (pb.AND_EXPR, pb.OR_EXPR):
            arguments = _arguments(found, found.bool_expr.boolop)
            del found.bool_expr.args[:]
            found.bool_expr.args.extend(arguments)
    flattened: bytes = flat.SerializeToString(deterministic=True)
    return flattened


def _arguments(node: pb.Node, operation: int) -> list[pb.Node]:
    """Copies of the operands of a chain of one and the same AND or OR, in order."""
    chain: list[pb.Node] = []
    stack = list(reversed(node.bool_expr.args))
    while stack:
        operand = stack.pop()
        if operand.WhichOneof("node") == "bool_expr" and operand.bool_expr.boolop == operation:
            stack.extend(reversed(operand.bool_expr.args))
        else:
            copy = pb.Node()
            copy.CopyFrom(operand)
            chain.append(copy)
    return chain


def _print(node: pb.Node) -> str:
    """Print bottom up: each operand that is an operator itself is printed alone and put back in parentheses."""
    flat = pb.Node()
    flat.CopyFrom(node)
    everywhere = list(nodes(flat))
    closed = [part for found in everywhere for part in _closed(found)]
    operands = [found for found in everywhere[1:] if _is_operator(found) or any(found is part for part in closed)]
    if not operands:
        return _print_flat(flat)
    mark = "#"
    everything = _print_flat(flat)
    while f'"{mark}' in everything:
        mark += "#"
    printed: list[str] = []
    for operand in reversed(operands):
        text = _print_flat(operand)
        operand.Clear()
        operand.column_ref.fields.add().string.sval = f"{mark}{len(printed)}"
        printed.append(f"({text})")
    return _expand(_print_flat(flat), re.compile(f'"{mark}(\\d+)"'), printed)


def _expand(text: str, mark: re.Pattern[str], printed: list[str]) -> str:
    """Put the operands back; one is marked only by operands printed after it, so one pass upwards is enough."""
    whole: list[str] = []
    for operand in printed:
        whole.append(mark.sub(lambda found: whole[int(found.group(1))], operand))
    return mark.sub(lambda found: whole[int(found.group(1))], text)


def _is_operator(node: pb.Node) -> bool:
    kind = node.WhichOneof("node")
    if kind == "type_cast":
        return node.type_cast.arg.WhichOneof("node") not in ("a_const", "column_ref")
    if kind == "func_call":
        return bool(node.func_call.funcformat == pb.COERCE_SQL_SYNTAX)
    return kind in OPERATORS


def _closed(node: pb.Node) -> list[pb.Node]:
    """The parts of a construct that the grammar wants in parentheses whatever they are."""
    match node.WhichOneof("node"):
        case "a_indirection":
            return [node.a_indirection.arg]
        case "range_table_func":
            return [node.range_table_func.docexpr, node.range_table_func.rowexpr]
        case "range_table_func_col":
            return [node.range_table_func_col.colexpr, node.range_table_func_col.coldefexpr]
        case _:
            return []


def _print_flat(node: pb.Node) -> str:
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
        stack.extend(reversed(children(message)))
        if isinstance(message, pb.Node):
            yield message


def own_nodes(root: Message) -> Iterator[pb.Node]:
    """Yield what `nodes` does, except what stands inside a subquery: names there have another meaning.

    What is compared with a subquery stands outside it.
    """
    stack: list[Message] = [root]
    while stack:
        message = stack.pop()
        if not isinstance(message, pb.SelectStmt) or message is root:
            stack.extend(reversed(children(message)))
        if isinstance(message, pb.Node) and message.WhichOneof("node") != "select_stmt":
            yield message


def own_subqueries(root: Message) -> Iterator[pb.Node]:
    """Yield the subqueries in an expression, but none that stands in another or is compared with it."""
    stack: list[Message] = [root]
    while stack:
        message = stack.pop()
        if isinstance(message, pb.Node) and message.WhichOneof("node") == "sub_link":
            yield message
        else:
            stack.extend(reversed(children(message)))


def children(message: Message) -> list[Message]:
    """The messages that stand directly in another one."""
    found: list[Message] = []
    for field, value in message.ListFields():
        if _use(field) == "messages":
            found.extend((value,) if isinstance(value, Message) else value)
    return found


def strip_locations(root: Message) -> None:
    """Forget where in the text each token stood, so that equal expressions are equal trees."""
    stack: list[Message] = [root]
    while stack:
        message = stack.pop()
        for field, value in message.ListFields():
            use = _use(field)
            if use == "messages":
                stack.extend((value,) if isinstance(value, Message) else value)
            elif use == "place":
                message.ClearField(field.name)


@cache
def _use(field: FieldDescriptor) -> str:
    """What a field holds; there are some hundreds of them, and trees of many thousand messages."""
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return "messages"
    return "place" if field.name.endswith("location") or field.name in PLACES else "value"
