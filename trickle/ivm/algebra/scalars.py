"""Scalar expressions: PostgreSQL's own trees, with every column reference resolved to a number.

The compiler never writes an expression grammar or a type checker. A `Scalar` wraps the parse tree that
libpg_query gave us; each column reference in it is one field named `#17`, where 17 is the number of a
column, unique in the whole program, so nothing can be ambiguous and no user's name can be captured. A subquery that
reads no table may stand in it; the columns of its own items keep their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from trickle.ivm.syntax import REMEMBERED, deparse_expression, nodes, own_nodes, parse_expression

NAME_BYTES = 63


def clipped(name: str, suffix: str) -> str:
    """Append a suffix to a name, shortening the name so that PostgreSQL, which counts bytes, keeps all of it."""
    room = NAME_BYTES - len(suffix.encode())
    return name.encode()[:room].decode(errors="ignore") + suffix


@dataclass(frozen=True, slots=True)
class Column:
    """A column of some relation of the algebra: a number, and the name it is called by in generated SQL."""

    number: int
    name: str

    @property
    def label(self) -> str:
        """Name of this column in generated SQL: readable, and unique through its number."""
        return clipped(self.name, f"_{self.number}")


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """An expression over numbered columns; equal when its printed form is equal. Treat `node` as immutable."""

    node: pb.Node
    text: str = field(default="")

    def __post_init__(self) -> None:
        if not self.text:
            object.__setattr__(self, "text", deparse_expression(self.node))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scalar) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def columns(self) -> frozenset[int]:
        """Numbers of the columns this expression reads."""
        return _columns(self)

    @property
    def column(self) -> int | None:
        """Number of the column, when the expression is nothing but a column."""
        return column_number(self.node) if is_numbered(self.node) else None


@lru_cache(maxsize=REMEMBERED)
def _columns(scalar: Scalar) -> frozenset[int]:
    return frozenset(column_number(n) for n in nodes(scalar.node) if is_numbered(n))


def is_numbered(node: pb.Node) -> bool:
    """Is it a reference to a column of the algebra? A subquery inside an expression has columns of its own."""
    if node.WhichOneof("node") != "column_ref" or len(node.column_ref.fields) != 1:
        return False
    return bool(node.column_ref.fields[0].string.sval.startswith("#"))


def column_number(node: pb.Node) -> int:
    """Number of the column that a resolved reference stands for."""
    return int(node.column_ref.fields[0].string.sval[1:])


def reference(column: Column | int) -> Scalar:
    """Return the expression that reads `column`."""
    number = column if isinstance(column, int) else column.number
    node = pb.Node()
    node.column_ref.fields.add().string.sval = f"#{number}"
    return Scalar(node, f'"#{number}"')


def expression(template: str, **parts: Scalar) -> Scalar:
    """Build an expression from SQL text whose bare names stand for `parts`.

    >>> expression("a + 1", a=reference(3)).text
    '"#3" + 1'
    """
    node = parse_expression(template)
    for found in nodes(node):
        if found.WhichOneof("node") == "column_ref":
            name = found.column_ref.fields[0].string.sval
            found.CopyFrom(parts[name].node)
    return Scalar(node)


def substitute(scalar: Scalar, mapping: Mapping[int, Scalar]) -> Scalar:
    """Replace column references by the expressions in `mapping`; columns not in it stay."""
    if scalar.columns.isdisjoint(mapping):
        return scalar
    if scalar.column is not None:
        return mapping[scalar.column]
    node = pb.Node()
    node.CopyFrom(scalar.node)
    for found in nodes(node):
        if is_numbered(found):
            replacement = mapping.get(column_number(found))
            if replacement is not None:
                found.CopyFrom(replacement.node)
    return Scalar(node)


def replace_matching(scalar: Scalar, replacements: Mapping[bytes, Scalar]) -> Scalar:
    """Replace each outermost sub-expression whose tree equals a key of `replacements` (see `tree_key`)."""
    return _replaced(scalar, replacements, nodes)


def replace_calls(scalar: Scalar, replacements: Mapping[bytes, Scalar]) -> Scalar:
    """As `replace_matching`, for calls that belong to their query: one that reads the same in a subquery is another."""
    return _replaced(scalar, replacements, own_nodes)


def _replaced(
    scalar: Scalar, replacements: Mapping[bytes, Scalar], walk: Callable[[Message], Iterator[pb.Node]]
) -> Scalar:
    node = pb.Node()
    node.CopyFrom(scalar.node)
    changed = False
    for found in walk(node):
        replacement = replacements.get(found.SerializeToString(deterministic=True))
        if replacement is not None:
            found.CopyFrom(replacement.node)
            changed = True
    return Scalar(node) if changed else scalar


def tree_key(node: pb.Node) -> bytes:
    """Identity of an expression tree, for `replace_matching`."""
    key: bytes = node.SerializeToString(deterministic=True)
    return key


def render(scalar: Scalar, name: Callable[[int], tuple[str, ...]]) -> str:
    """Print the expression, calling each column by the (qualified) name that `name` gives for its number."""
    return _rendered(scalar, tuple((number, name(number)) for number in sorted(scalar.columns)))


@lru_cache(maxsize=REMEMBERED)
def _rendered(scalar: Scalar, names: tuple[tuple[int, tuple[str, ...]], ...]) -> str:
    called = dict(names)
    node = pb.Node()
    node.CopyFrom(scalar.node)
    for found in nodes(node):
        if is_numbered(found):
            parts = called[column_number(found)]
            del found.column_ref.fields[:]
            for part in parts:
                found.column_ref.fields.add().string.sval = part
    return deparse_expression(node)


def conjuncts(predicate: Scalar) -> tuple[Scalar, ...]:
    """Split `a AND b AND c` into its parts."""
    if predicate.node.WhichOneof("node") == "bool_expr" and predicate.node.bool_expr.boolop == pb.AND_EXPR:
        found: list[Scalar] = []
        for argument in predicate.node.bool_expr.args:
            found.extend(conjuncts(Scalar(argument)))
        return tuple(found)
    return (predicate,)


def equated_columns(predicate: Scalar) -> tuple[int, int] | None:
    """The two columns of `a = b` (pg_catalog's own `=` only), or None."""
    node = predicate.node
    if node.WhichOneof("node") != "a_expr" or node.a_expr.kind != pb.AEXPR_OP or len(node.a_expr.name) != 1:
        return None
    expr = node.a_expr
    if expr.name[0].string.sval != "=":
        return None
    if not (is_numbered(expr.lexpr) and is_numbered(expr.rexpr)):
        return None
    return column_number(expr.lexpr), column_number(expr.rexpr)


def columns_of(scalars: Iterable[Scalar]) -> frozenset[int]:
    """Numbers of all columns that the expressions read."""
    return frozenset().union(*(scalar.columns for scalar in scalars))
