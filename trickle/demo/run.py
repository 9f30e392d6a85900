"""The demo from its first line to its verdict."""

from __future__ import annotations

import shlex
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from trickle import embedded
from trickle.db import session
from trickle.demo import check, prepare, processes, stream_tables
from trickle.demo.check import Verdict
from trickle.demo.data import REPLAYED_MONTH, find_data
from trickle.demo.database import DATABASE
from trickle.demo.live import LiveDemo
from trickle.demo.options import DemoOptions
from trickle.demo.processes import Process
from trickle.demo.progress import reporting
from trickle.demo.workers import Workers

EXIT_EQUAL = 0
EXIT_DIFFERENT = 1
EXIT_INTERRUPTED = 130

_REPLAY_STOP_SECONDS = 10.0
_LOGS = "demo-logs"


def run(options: DemoOptions, console: Console) -> int:
    """Run the demo; returns the exit code. When it returns or raises, nothing of it runs any more."""
    files = find_data()
    try:
        with _ended_by_signals(), ExitStack() as stack:
            try:
                with reporting(console, is_plain=options.is_plain) as told:
                    with told.step("Start PostgreSQL") as step:
                        server = stack.enter_context(prepare.server(options.data_dir))
                        step.outcome = f"version {server.version}"
                    url = prepare.database(server, told)
                    prepare.flights(url, files, told)
                    prepare.create_stream_tables(url, told)
                code = _run_live(options, console, server, url, stack)
            finally:
                # What follows ends in bounded time; another Ctrl-C would only leave a mess.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        console.print("Interrupted; nothing is left running.")
        return EXIT_INTERRUPTED
    console.print("Stopped; nothing is left running.")
    return code


def _run_live(options: DemoOptions, console: Console, server: embedded.Server, url: str, stack: ExitStack) -> int:
    """Start workers and replay, show them until the end, and compare when asked to."""
    log_dir = _fresh_directory(server.data_dir / _LOGS)
    psql = shlex.join(["trickle", "pg", "psql", "--data-dir", str(server.data_dir), "--database", DATABASE])
    console.print(f"December is replayed, {options.workers} workers refresh. Look closer:\n{psql}", soft_wrap=True)
    connection = stack.enter_context(session.connect(url, role="demo"))
    workers = Workers(url, log_dir)
    stack.callback(workers.stop)
    workers.start(options.workers)
    replay = _start_replay(options, url, log_dir)
    stack.callback(processes.end, [replay], wait_seconds=_REPLAY_STOP_SECONDS)
    live = LiveDemo(options, connection, workers, replay, psql)
    try:
        live.run(console)
    except KeyboardInterrupt:
        console.print("Ending.")
    processes.end([replay], wait_seconds=_REPLAY_STOP_SECONDS)
    if options.with_chaos:
        console.print(chaos_sentence(live))
    return _judge(console, url, workers) if options.with_check else EXIT_EQUAL


def chaos_sentence(live: LiveDemo) -> str:
    """How often chaos struck, and how long the take-overs took."""
    seconds = sorted(takeover.seconds for takeover in live.takeovers if takeover.seconds is not None)
    if not seconds:
        return "Chaos has killed nobody yet."
    median_ms, worst_ms = seconds[len(seconds) // 2] * 1000, seconds[-1] * 1000
    return (
        f"Chaos killed {len(live.takeovers)} workers; their stream tables were taken over in {median_ms:.0f} ms "
        f"(median), {worst_ms:.0f} ms (longest)."
    )


def _judge(console: Console, url: str, workers: Workers) -> int:
    """Wait for the workers, compare, print, and turn the verdict into an exit code."""
    with session.connect(url, role="demo") as connection:
        behind = check.wait_until_current(connection, lambda: workers.tend(time.monotonic()))
        verdicts = check.compare(connection, stream_tables.DEFINITIONS, behind)
    _print_verdicts(console, verdicts)
    return EXIT_EQUAL if all(verdict.is_equal for verdict in verdicts) else EXIT_DIFFERENT


def _print_verdicts(console: Console, verdicts: tuple[Verdict, ...]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("stream table")
    for heading in ("rows", "missing", "extra"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    table.add_column("query took", justify="right")
    for verdict in verdicts:
        numbers = (str(number) for number in (verdict.rows, verdict.missing_rows, verdict.extra_rows))
        table.add_row(verdict.name, *numbers, _word(verdict), f"{verdict.seconds * 1000:.0f} ms")
    console.print("Every stream table against its query, EXCEPT ALL both ways, at one snapshot:")
    console.print(table)
    wrong = sum(not verdict.is_equal for verdict in verdicts)
    console.print(
        f"[bold red]{wrong} of {len(verdicts)} stream tables differ.[/]"
        if wrong
        else f"[bold green]All {len(verdicts)} stream tables are equal to their queries.[/]"
    )


def _word(verdict: Verdict) -> str:
    if verdict.is_equal:
        return "[green]equal[/]"
    return "[red]not refreshed in time[/]" if verdict.is_behind else "[red]different[/]"


def _start_replay(options: DemoOptions, url: str, log_dir: Path) -> Process:
    told = {"url": url, "month": REPLAYED_MONTH, "minutes_per_second": options.minutes_per_second}
    return processes.start("replay", told, log_dir / "replay.log")


def _fresh_directory(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)
    return path


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP unwind the stack too; put everything back afterwards."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, leave) for number in numbers}
    before[signal.SIGINT] = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
