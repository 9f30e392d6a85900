"""What a person sees while the demo runs: a live table on a terminal, a line every few seconds elsewhere.

Everything here turns values into text; nothing reads a database or a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trickle.demo.chaos import TakeOver
from trickle.demo.observe import Look, Replay, StreamTableNow

# One colour per worker, by the number in its name, so that a take-over can be seen from afar.
_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")


@dataclass(frozen=True, slots=True)
class Shown:
    """All that the view tells at one moment."""

    look: Look
    running: tuple[str, ...]
    takeovers: Sequence[TakeOver]
    elapsed_seconds: float
    minutes_per_second: float
    psql: str


def screen(shown: Shown) -> RenderableType:
    """The live view; it fits a terminal of 80 columns and 24 lines."""
    return Group(_headline(shown), _replay(shown), _table(shown), _workers(shown), _takeover(shown), _hint(shown))


def line(shown: Shown) -> str:
    """The same in one line."""
    look, refreshes = shown.look, shown.look.refreshes
    replay = look.replay
    parts = [f"{shown.elapsed_seconds:5.1f} s"]
    if replay is not None:
        parts.append(f"{replay.simulated_at:%b %d %H:%M} in New York: {replay.announced} announced, {_events(replay)}")
    parts.append(_freshness(look))
    parts.append(
        f"{refreshes.refreshes} refreshes ({refreshes.full_refreshes} FULL, {refreshes.failures} failed), "
        f"median {_milliseconds(refreshes.median_ms)}, {refreshes.rows_changed} rows changed"
    )
    parts.append(", ".join(f"{name} owns {count}" for name, count in _shares(shown).items()))
    if shown.takeovers:
        parts.append(takeover_sentence(shown.takeovers[-1]))
    return " | ".join(parts)


def takeover_sentence(takeover: TakeOver) -> str:
    """`worker-2 killed: its 5 stream tables taken over in 34 ms`."""
    count = len(takeover.stream_tables)
    what = f"its {count} stream tables" if count != 1 else "its stream table"
    if takeover.seconds is None:
        return f"{takeover.instance_id} killed: {what} waiting"
    return f"{takeover.instance_id} killed: {what} taken over in {_milliseconds(takeover.seconds * 1000)}"


def _headline(shown: Shown) -> Text:
    title = f"{len(shown.look.stream_tables)} stream tables over a year of flights"
    return Text.assemble((title, "bold"), f"   {_freshness(shown.look)}")


def _replay(shown: Shown) -> Text:
    replay = shown.look.replay
    if replay is None:
        return Text("The replay is starting.", style="dim")
    speed = "the year is over" if replay.is_over else f"×{shown.minutes_per_second * 60:g}"
    return Text(f"{replay.simulated_at:%b %d %H:%M} {speed}   {_events(replay)}")


def _events(replay: Replay) -> str:
    return f"{replay.departed} departed, {replay.landed} landed, {replay.cancelled} cancelled"


def _table(shown: Shown) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("stream table", "mode", "fresh"):
        table.add_column(heading, no_wrap=True)
    table.add_column("refresh", justify="right", no_wrap=True)
    table.add_column("rows changed", no_wrap=True)
    table.add_column("owner", no_wrap=True)
    for row in shown.look.stream_tables:
        milliseconds = _milliseconds(row.refresh_ms)
        table.add_row(row.name, _mode(row), _fresh(row), milliseconds, _rows(row), _owner(row.instance_id))
    return table


def _mode(row: StreamTableNow) -> Text:
    """The mode of the last refresh. Creation fills in full, which says nothing of what follows."""
    if row.status != "ACTIVE":
        return Text(row.status, style="bold red")
    if row.refresh_ms is None:
        return Text("filled", style="dim")
    return Text(row.mode, style="" if row.mode == "DIFFERENTIAL" else "yellow")


def _fresh(row: StreamTableNow) -> Text:
    """Behind means that something waits to be taken; it cannot be older than the last refresh."""
    if not row.is_behind:
        return Text("current", style="green")
    return Text(f"≤ {row.refreshed_seconds_ago:.1f} s", style="yellow" if row.refreshed_seconds_ago < 3 else "red")


def _rows(row: StreamTableNow) -> str:
    if row.refresh_ms is None:
        return ""
    return f"+{row.rows_inserted} ~{row.rows_updated} −{row.rows_deleted}"


def _owner(instance_id: str | None) -> Text:
    return Text(instance_id, style=_colour(instance_id)) if instance_id else Text("nobody", style="bold red")


def _colour(instance_id: str) -> str:
    number = instance_id.rpartition("-")[2]
    return _COLOURS[int(number) % len(_COLOURS)] if number.isdigit() else "white"


def _workers(shown: Shown) -> Text:
    text = Text()
    for name, count in _shares(shown).items():
        text.append(f"{name} ({count})", style=_colour(name)).append("  ")
    refreshes = shown.look.refreshes
    text.append(f"{refreshes.refreshes} refreshes, median {_milliseconds(refreshes.median_ms)}")
    if refreshes.failures:
        text.append(f", {refreshes.failures} failed", style="red")
    return text


def _takeover(shown: Shown) -> Text:
    return Text(takeover_sentence(shown.takeovers[-1]) if shown.takeovers else "", style="red")


def _hint(shown: Shown) -> Text:
    return Text(f"Look closer (Ctrl-C ends): {shown.psql}", style="dim", overflow="fold")


def _shares(shown: Shown) -> dict[str, int]:
    owners = list(shown.look.owners.values())
    return {instance_id: owners.count(instance_id) for instance_id in shown.running}


def _freshness(look: Look) -> str:
    if not look.behind:
        return "all current"
    oldest = max(table.refreshed_seconds_ago for table in look.behind)
    return f"{len(look.stream_tables) - len(look.behind)} current, {len(look.behind)} behind by ≤ {oldest:.1f} s"


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"
