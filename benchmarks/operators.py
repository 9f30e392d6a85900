"""What does a refresh cost, operator by operator, as the change, the groups and the table grow?

Two tables of facts, one ten times the size of the other, hold the same columns; `k` names a group, of ten rows or of a
thousand, and `parent` makes them trees. Each operator is kept over both by one stream table, and refreshed after ten
rows and after a thousand rows were changed, in turns. An operator is local when a refresh reads what the change
touches: its time must not follow the size of the table. The others look at all of their rows, and say so.

Every result is compared with its query before a time is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection, sql

from benchmarks.contenders import StreamTables, relation
from benchmarks.measure import Samples, check_equal, in_turn, ratio, timed_ms
from benchmarks.refresh import Say
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database
from benchmarks.shapes import Shape

STATED_ROWS = 200_000
COLUMNS = ("operator", "group_rows", "changed", "small_ms", "large_ms", "growth", "full_ms", "times_faster")
GROUP_ROWS = (10, 1000)
CHANGED = (10, 1000)
GROWTH_GOAL = 3.0

_TABLES = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.fact (
    id int PRIMARY KEY, k10 int NOT NULL, k1000 int NOT NULL, v numeric(10,2) NOT NULL, s text NOT NULL,
    parent int NOT NULL);
CREATE TABLE {schema}.dim (k int PRIMARY KEY, name text NOT NULL, w int NOT NULL);
SELECT setseed(0.5);
INSERT INTO {schema}.fact
SELECT i, i % greatest({rows} / 10, 1), i % greatest({rows} / 1000, 1), round((random() * 1000)::numeric, 2),
       'text ' || i % 17, i / 10
FROM generate_series(1, {rows}) i;
INSERT INTO {schema}.dim SELECT i, 'name ' || i, i % 100 FROM generate_series(0, {rows} / 10) i;
CREATE INDEX ON {schema}.fact (k10);
CREATE INDEX ON {schema}.fact (k1000);
CREATE INDEX ON {schema}.fact (parent);
"""
_CHANGE = """
UPDATE {schema}.fact SET v = v + 1
WHERE id IN (SELECT 1 + (i::bigint * 7919 + {turn} * 104729) % {rows} FROM generate_series(1, {changed}) i)
"""


@dataclass(frozen=True, slots=True)
class Operator:
    """A query over `{schema}.fact`, grouped by `{k}`, and whether a refresh reads only what the change touches."""

    name: str
    query: str
    local: bool = True
    grouped: bool = True


OPERATORS = (
    Operator("filter", "SELECT id, v FROM {schema}.fact WHERE v > 500", grouped=False),
    Operator("join", "SELECT f.id, f.v, d.name FROM {schema}.fact f JOIN {schema}.dim d ON d.k = f.{k}"),
    Operator("left join", "SELECT d.k, f.id, f.v FROM {schema}.dim d LEFT JOIN {schema}.fact f ON f.{k} = d.k"),
    Operator(
        "full join",
        "SELECT d.k, f.id, f.v FROM (SELECT * FROM {schema}.fact WHERE v > 500) f"
        " FULL JOIN {schema}.dim d ON d.k = f.{k}",
    ),
    Operator(
        "exists",
        "SELECT d.k, d.name FROM {schema}.dim d"
        " WHERE EXISTS (SELECT FROM {schema}.fact f WHERE f.{k} = d.k AND f.v > 995)",
    ),
    Operator(
        "not exists",
        "SELECT d.k, d.name FROM {schema}.dim d"
        " WHERE NOT EXISTS (SELECT FROM {schema}.fact f WHERE f.{k} = d.k AND f.v > 995)",
    ),
    Operator("sums by group", "SELECT {k}, count(*) AS n, sum(v) AS v FROM {schema}.fact GROUP BY {k}"),
    Operator("extremes by group", "SELECT {k}, min(v) AS lo, max(v) AS hi FROM {schema}.fact GROUP BY {k}"),
    Operator("distinct by group", "SELECT {k}, count(DISTINCT s) AS n, sum(v) AS v FROM {schema}.fact GROUP BY {k}"),
    Operator(
        "ordered by group",
        "SELECT {k}, string_agg(s, ',' ORDER BY v, id) AS listed,"
        " percentile_cont(0.5) WITHIN GROUP (ORDER BY v) AS half FROM {schema}.fact GROUP BY {k}",
    ),
    Operator("having", "SELECT {k}, sum(v) AS v FROM {schema}.fact GROUP BY {k} HAVING sum(v) > 5000"),
    Operator("distinct", "SELECT DISTINCT {k}, s FROM {schema}.fact"),
    Operator(
        "correlated average",
        "SELECT f.id, f.v FROM {schema}.fact f"
        " WHERE f.v > (SELECT 1.9 * avg(g.v) FROM {schema}.fact g WHERE g.{k} = f.{k})",
    ),
    Operator("window", "SELECT id, {k}, rank() OVER (PARTITION BY {k} ORDER BY v DESC) AS place FROM {schema}.fact"),
    Operator("first of each", "SELECT DISTINCT ON ({k}) {k}, id, v FROM {schema}.fact ORDER BY {k}, v DESC, id"),
    Operator(
        "union all",
        "SELECT id, v FROM {schema}.fact WHERE v > 900 UNION ALL SELECT id, -v FROM {schema}.fact WHERE v < 100",
        grouped=False,
    ),
    Operator(
        "rows of a function",
        "SELECT f.id, n FROM {schema}.fact f CROSS JOIN generate_series(1, (f.v / 400)::int) n",
        grouped=False,
    ),
    Operator(
        "except",
        "SELECT {k} FROM {schema}.fact WHERE v > 990 EXCEPT SELECT {k} FROM {schema}.fact WHERE v < 10",
    ),
    Operator("grouping sets", "SELECT {k}, s, sum(v) AS v FROM {schema}.fact GROUP BY ROLLUP ({k}, s)"),
    Operator(
        "first groups",
        "SELECT {k}, sum(v) AS v FROM {schema}.fact GROUP BY {k} ORDER BY v DESC, {k} LIMIT 10",
    ),
    Operator(
        "recursion over a tree",
        "WITH RECURSIVE t AS (SELECT id, v::numeric FROM {schema}.fact WHERE parent = 0 UNION ALL"
        " SELECT f.id, t.v + f.v FROM t JOIN {schema}.fact f ON f.parent = t.id) SELECT id, v FROM t",
        grouped=False,
    ),
    Operator(
        "above a total",
        "SELECT {k}, sum(v) AS v FROM {schema}.fact GROUP BY {k}"
        " HAVING sum(v) > (SELECT sum(v) * 0.001 FROM {schema}.fact)",
        local=False,
    ),
    Operator("first rows", "SELECT id, v FROM {schema}.fact ORDER BY v DESC, id LIMIT 10", local=False, grouped=False),
    Operator("rank of all", "SELECT id, rank() OVER (ORDER BY v) AS place FROM {schema}.fact", False, False),
    Operator(
        "recursion over a graph",
        "WITH RECURSIVE t AS (SELECT id FROM {schema}.fact WHERE parent = 0 UNION"
        " SELECT f.id FROM t JOIN {schema}.fact f ON f.parent = t.id AND f.v > 100) SELECT id FROM t",
        grouped=False,
    ),
)

Key = tuple[str, int, int, str]


@dataclass(slots=True)
class Run:
    """One run: the two sizes, and what was timed."""

    conn: Connection[Any]
    sizes: dict[str, int]
    differential: StreamTables
    shapes: dict[tuple[str, int, str], Shape] = field(default_factory=dict)
    samples: Samples[Key] = field(default_factory=Samples)
    full: Samples[tuple[str, int]] = field(default_factory=Samples)


def chosen(names: str | None) -> tuple[Operator, ...]:
    """The operators named in a comma-separated list; all of them without one."""
    if names is None:
        return OPERATORS
    by_name = {operator.name: operator for operator in OPERATORS}
    unknown = [name for name in names.split(",") if name not in by_name]
    if unknown:
        raise ValueError(f"no such operator: {', '.join(unknown)}; there are {', '.join(by_name)}")
    return tuple(by_name[name] for name in names.split(","))


def run(database: Database, rows: int, rounds: int, operators: tuple[Operator, ...], say: Say) -> Report:
    with database.connect() as conn:
        sizes = {"small": max(rows // 10, 1), "large": rows}
        conn.execute("CREATE SCHEMA bench")
        for schema, size in sizes.items():
            conn.execute(_filled(_TABLES, schema=schema, rows=size))
        differential = StreamTables.open(database, "DIFFERENTIAL")
        try:
            this = Run(conn, sizes, differential)
            _create(this, operators, say)
            for turn in range(rounds):
                _round(this, operators, turn, say)
            say("comparing every result with its query")
            for shape in this.shapes.values():
                check_equal(conn, relation(differential, shape), shape.query, _columns(conn, shape))
        finally:
            differential.close()
    about = {"rows": rows, "rounds": rounds, "ten_times": sizes["small"]}
    rows_of = [_row(this, o, g, changed) for o in operators for g in _groups(o) for changed in CHANGED]
    return Report("operators", {**database.environment, **about}, rows_of, _goals(this, operators, rows))


def _groups(operator: Operator) -> tuple[int, ...]:
    return GROUP_ROWS if operator.grouped else GROUP_ROWS[:1]


def _create(this: Run, operators: tuple[Operator, ...], say: Say) -> None:
    for operator in operators:
        say(f"creating {operator.name}")
        for group in _groups(operator):
            for schema in this.sizes:
                query = operator.query.format(schema=schema, k=f"k{group}")
                shape = Shape(f"{operator.name.replace(' ', '_')}_{group}_{schema}", query, (), None, 0.0)
                this.differential.create(shape)
                this.shapes[operator.name, group, schema] = shape
    this.conn.execute("VACUUM (ANALYZE)")


def _round(this: Run, operators: tuple[Operator, ...], turn: int, say: Say) -> None:
    """A batch that is not timed, since plans are made anew after ANALYZE, and one that is, for both sizes."""
    for changed in CHANGED:
        say(f"round {turn + 1}: {changed} rows changed")
        for timed in (False, True):
            for schema, size in this.sizes.items():
                moved = {"turn": 4 * turn + 2 * CHANGED.index(changed) + timed, "changed": changed}
                this.conn.execute(_filled(_CHANGE, schema=schema, rows=size, **moved))
            for operator in operators:
                for group in _groups(operator):
                    for schema in in_turn(tuple(this.sizes), turn):
                        shape = this.shapes[operator.name, group, schema]
                        milliseconds = this.differential.update_ms(shape)
                        if timed:
                            this.samples.add((operator.name, group, changed, schema), milliseconds)
    for (name, group, schema), shape in this.shapes.items():
        if schema == "large":
            counted = sql.SQL("SELECT count(q) FROM ({}) q").format(sql.SQL(shape.query))
            this.full.add((name, group), timed_ms(lambda counted=counted: this.conn.execute(counted)))  # type: ignore[misc]
    this.differential.prune()
    this.conn.execute("VACUUM (ANALYZE)")


def _row(this: Run, operator: Operator, group: int, changed: int) -> dict[str, Any]:
    small, large = ((operator.name, group, changed, schema) for schema in ("small", "large"))
    full = this.full.median((operator.name, group))
    return {
        "operator": operator.name,
        "local": operator.local,
        "group_rows": group if operator.grouped else None,
        "changed": changed,
        "small_ms": this.samples.median(small),
        "large_ms": this.samples.median(large),
        "growth": this.samples.median_ratio(large, small),
        "full_ms": full,
        "times_faster": ratio(full, this.samples.median(large)),
        **this.samples.summary(large),
    }


def _goals(this: Run, operators: tuple[Operator, ...], rows: int) -> list[Goal]:
    goals = []
    for operator in operators:
        for group in _groups(operator) if operator.local else ():
            large, small = ((operator.name, group, CHANGED[0], schema) for schema in ("large", "small"))
            name = f"{operator.name}, groups of {group}: ten times the table, times the time"
            value = this.samples.median_ratio(large, small)
            goals.append(judge(name, value, "×", "at most", GROWTH_GOAL, counts=rows >= STATED_ROWS))
    return goals


def _columns(conn: Connection[Any], shape: Shape) -> sql.Composable:
    described = conn.execute(sql.SQL("SELECT * FROM ({}) q LIMIT 0").format(sql.SQL(shape.query))).description
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in described or ())


def _filled(template: str, *, schema: str, **numbers: int) -> sql.Composed:
    values = {name: sql.Literal(number) for name, number in numbers.items()}
    return sql.SQL(template).format(schema=sql.Identifier(schema), **values)
