"""What a PromQL query asks for, and which labels its answer has, given those of each metric. Parsed, not guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import promql_parser as promql

# The names by which Grafana asks for a range; to the parser any range is as good.
INTERVALS = {"$__rate_interval": "1m", "$__interval": "1m", "$__range": "1h"}
# Labels that every target has, by Prometheus itself.
OF_TARGETS = frozenset({"job", "instance"})

Labels = frozenset[str]
Known = Mapping[str, Labels]


@dataclass(frozen=True, slots=True)
class Missing:
    """A metric that nobody exports, or a label that is asked for where it is not there."""

    metrics: Labels
    label: str | None = None


def parsed(query: str) -> promql.Expr:
    """Raises ValueError for what is not PromQL."""
    for name, value in INTERVALS.items():
        query = query.replace(name, value)
    return promql.parse(query)


def metrics(query: str) -> Labels:
    """The metrics that it asks for."""
    return frozenset(_metrics(parsed(query)))


def missing(query: str, known: Known) -> set[Missing]:
    """What it asks for and nobody has."""
    found: set[Missing] = set()
    _labels(parsed(query), known, found)
    return found


def labels(query: str, known: Known) -> Labels:
    """The labels of its answer."""
    return _labels(parsed(query), known, set())


def _metrics(node: promql.Expr) -> Iterator[str]:
    match node:
        case promql.VectorSelector():
            assert node.name, "a selector without a name"
            yield node.name
        case promql.MatrixSelector():
            yield from _metrics(node.vector_selector)
        case promql.BinaryExpr():
            yield from _metrics(node.lhs)
            yield from _metrics(node.rhs)
        case promql.Call():
            for argument in node.args:
                yield from _metrics(argument)
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from _metrics(node.expr)
        case promql.NumberLiteral() | promql.StringLiteral():
            return
        case _:
            raise AssertionError(f"unknown: {node!r}")


def _labels(node: promql.Expr, known: Known, found: set[Missing]) -> Labels:
    """Those of the answer of a node; what is missing below it is put into `found`."""

    def ask(there: Labels, wanted: list[str], below: promql.Expr) -> None:
        found.update(Missing(frozenset(_metrics(below)), label) for label in wanted if label not in there)

    match node:
        case promql.VectorSelector():
            if node.name not in known:
                found.add(Missing(frozenset({node.name})))
                return OF_TARGETS
            there = known[node.name] | OF_TARGETS
            ask(there, [matcher.name for matcher in node.matchers.matchers], node)
            return there
        case promql.MatrixSelector():
            return _labels(node.vector_selector, known, found)
        case promql.AggregateExpr():
            below = _labels(node.expr, known, found)
            kept = list(node.modifier.labels) if node.modifier else []
            assert node.modifier is None or node.modifier.type == promql.AggModifierType.By, "say what is kept"
            ask(below, kept, node.expr)
            return below & frozenset(kept)
        case promql.BinaryExpr():
            left, right = _labels(node.lhs, known, found), _labels(node.rhs, known, found)
            matching = node.modifier.matching if node.modifier else None
            for side, there in ((node.lhs, left), (node.rhs, right)):
                ask(there, list(matching.labels) if matching else [], side)
            return left or right
        case promql.Call():
            below = frozenset().union(*(_labels(argument, known, found) for argument in node.args))
            match node.func.name:
                case "scalar" | "time" | "vector" | "absent":
                    return frozenset()
                case "histogram_quantile":
                    ask(below, ["le"], node)
                    return below - {"le"}
            return below
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return _labels(node.expr, known, found)
        case promql.NumberLiteral() | promql.StringLiteral():
            return frozenset()
        case _:
            raise AssertionError(f"unknown: {node!r}")
