"""What a run has to say: one JSON object for programs, tables for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Goal:
    """A promise and what became of it; `met` is None where the run was not of the size the promise is about."""

    name: str
    value: float | None
    unit: str
    goal: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one benchmark."""

    benchmark: str
    environment: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)


def judge(
    name: str, value: float | None, unit: str, kind: Literal["at least", "at most"], limit: float, *, counts: bool
) -> Goal:
    """A goal with its verdict; `counts` is whether this run can give one."""
    met: bool | None = None
    if counts and value is not None:
        met = value >= limit if kind == "at least" else value <= limit
    shown = None if value is None else round(value, 3)
    return Goal(name, shown, unit, f"{kind} {limit:g}", met)


def print_json(report: Report) -> None:
    print(json.dumps(asdict(report), indent=2, ensure_ascii=False))


def print_tables(report: Report, columns: Sequence[str]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPE_WIDTH)
    about = report.environment
    stolen = about.get("stolen")
    console.print(
        f"{report.benchmark}: PostgreSQL {about['postgresql']}, {about['rows']} rows, {about['cpus']} CPUs,"
        f" load {about['load_before']} before" + ("" if stolen is None else f", {stolen:.1%} of their time stolen")
    )
    console.print(_table(report.rows, columns))
    verdicts = {True: "met", False: "NOT MET", None: "–"}
    goals = [
        {"goal": g.name, "value": g.value, "unit": g.unit, "wanted": g.goal, "verdict": verdicts[g.met]}
        for g in report.goals
    ]
    console.print(_table(goals, ("goal", "value", "unit", "wanted", "verdict")))


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE)
    for column in columns:
        numeric = any(isinstance(row.get(column), int | float) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return str(value)
