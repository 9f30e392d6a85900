"""The command line: `python -m benchmarks NAME [--rows N|--sf N|--kills N] [--quick] [--json] [--postgres-url URL]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    capture,
    failover,
    immediate,
    jobs,
    latency,
    machine,
    nexmark,
    operators,
    pool,
    refresh,
    relay,
    restore,
    scale,
    suite,
    tenants,
    tpch,
)
from benchmarks.contenders import NotDifferential
from benchmarks.fleet import NotTakenOver
from benchmarks.measure import ResultsDiffer
from benchmarks.report import Report, print_json, print_tables
from benchmarks.server import Database, database
from benchmarks.shapes import chosen
from benchmarks.tpch_data import NoGenerator
from trickle.errors import TrickleError

_ROWS = 1_000_000
_QUICK_ROWS = 20_000
_FEWEST_ROWS = 200
_ROUNDS = 5
_SCALE = 1.0
_QUICK_SCALE = 0.01
_COLUMNS = {
    "refresh": refresh.COLUMNS,
    "capture": capture.COLUMNS,
    "immediate": immediate.COLUMNS,
    "tpch": suite.COLUMNS,
    "nexmark": suite.COLUMNS,
    "operators": operators.COLUMNS,
    "failover": failover.COLUMNS,
    "latency": latency.COLUMNS,
    "scale": scale.COLUMNS,
    "pool": pool.COLUMNS,
    "restore": restore.COLUMNS,
    "relay": relay.COLUMNS,
    "jobs": jobs.COLUMNS,
    "tenants": tenants.COLUMNS,
}

_SERVERS = {"scale": scale.SERVER, "tenants": tenants.SERVER}  # settings of a server of its own


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    before = machine.ticks()
    try:
        with database(options.postgres_url, _SERVERS.get(options.name, {})) as made:
            report = _run(made, options)
        report.environment["stolen"] = machine.stolen_between(before, machine.ticks())
    except (
        TrickleError,
        ResultsDiffer,
        NotDifferential,
        NotTakenOver,
        restore.NotContinued,
        NoGenerator,
        ValueError,
    ) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if options.json:
        print_json(report)
    else:
        print_tables(report, _COLUMNS[options.name])
    return 1 if suite.failed(report) else 0


def _run(made: Database, options: argparse.Namespace) -> Report:
    rows = options.rows or (_QUICK_ROWS if options.quick else _ROWS)
    if options.name == "capture":
        return capture.run(made, rows, options.rounds, _say)
    if options.name == "immediate":
        return immediate.run(made, rows, options.rounds, _say)
    if options.name == "restore":
        return restore.run(made, rows, options.rounds, _say)
    if options.name == "failover":
        kills = options.kills or (failover.QUICK_KILLS if options.quick else failover.STATED_KILLS)
        return failover.run(made, kills, _say)
    if options.name == "latency":
        seconds = options.seconds or (latency.QUICK_SECONDS if options.quick else latency.STATED_SECONDS)
        return latency.run(made, seconds, options.shapes, _say)
    if options.name == "scale":
        numbers = scale.QUICK_TABLES if options.quick else scale.STATED_TABLES
        seconds = options.seconds or (scale.QUICK_SECONDS if options.quick else scale.STATED_SECONDS)
        return scale.run(made, options.tables or numbers, seconds, _say)
    if options.name == "pool":
        tables = pool.QUICK_TABLES if options.quick else pool.STATED_TABLES
        sizes = pool.QUICK_SIZES if options.quick else pool.STATED_SIZES
        seconds = options.seconds or (pool.QUICK_SECONDS if options.quick else pool.STATED_SECONDS)
        return pool.run(made, (options.tables or (tables,))[0], sizes, seconds, options.plot, _say)
    if options.name == "jobs":
        return jobs.run(made, _say, quick=options.quick)
    if options.name == "tenants":
        return tenants.run(made, _say, quick=options.quick)
    if options.name == "relay":
        return relay.run(made, options.shapes, _say, quick=options.quick)
    for queries in (tpch.SUITE, nexmark.SUITE):
        if options.name == queries.name:
            size = options.sf or (_QUICK_SCALE if options.quick else _SCALE)
            chosen_ones = suite.chosen(queries, options.shapes)
            return suite.run(queries, made, size, options.rounds, chosen_ones, _say, options.mode)
    if options.name == "operators":
        rows = options.rows or (_QUICK_ROWS if options.quick else operators.STATED_ROWS)
        return operators.run(made, rows, options.rounds, operators.chosen(options.shapes), _say)
    return refresh.run(made, rows, options.rounds, chosen(options.shapes), _say)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=tuple(_COLUMNS), help="which question to answer")
    parser.add_argument("--rows", type=_rows, help=f"rows of the table ({_ROWS})")
    parser.add_argument("--sf", type=_scale, help=f"scale factor of 'tpch', million events of 'nexmark' ({_SCALE:g})")
    parser.add_argument("--kills", type=_kills, help=f"of each kind, for 'failover' ({failover.STATED_KILLS})")
    parser.add_argument("--seconds", type=_seconds, help="of each load, for 'latency', 'scale' and 'pool'")
    tables = ",".join(map(str, scale.STATED_TABLES))
    parser.add_argument("--tables", type=_numbers, help=f"numbers of stream tables, for 'scale' ({tables}) and 'pool'")
    parser.add_argument("--plot", type=Path, help="an SVG file to draw, for 'pool'")
    small = f"{_QUICK_ROWS} rows, or scale factor {_QUICK_SCALE}: does it work at all"
    parser.add_argument("--quick", action="store_true", help=small)
    parser.add_argument("--rounds", type=_rounds, default=_ROUNDS, help=f"turns, at least {_ROUNDS}")
    parser.add_argument("--shapes", help="a comma-separated choice of what a benchmark keeps")
    modes = ("AUTO", "DIFFERENTIAL")
    parser.add_argument("--mode", choices=modes, default="DIFFERENTIAL", help="what is compared with FULL")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--postgres-url", help="a server to use; a database is created on it and dropped")
    return parser.parse_args(arguments)


def _rows(text: str) -> int:
    return _at_least(text, _FEWEST_ROWS)


def _scale(text: str) -> float:
    scale = float(text)
    if not scale >= _QUICK_SCALE:
        raise argparse.ArgumentTypeError(f"{text} is less than {_QUICK_SCALE}")
    return scale


def _rounds(text: str) -> int:
    """A median of fewer says little."""
    return _at_least(text, _ROUNDS)


def _kills(text: str) -> int:
    return _at_least(text, 1)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_at_least(number, 1) for number in text.split(","))


def _seconds(text: str) -> float:
    return float(_at_least(text, 1))


def _at_least(text: str, fewest: int) -> int:
    number = int(text)
    if number < fewest:
        raise argparse.ArgumentTypeError(f"{number} is fewer than {fewest}")
    return number


def _say(text: str) -> None:
    """Progress goes past the result, to the person who waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
