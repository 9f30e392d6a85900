"""What is shown fits the smallest terminal and hides nothing: errors, FULL refreshes, tables without an owner."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rich.console import Console

from trickle.demo.chaos import TakeOver
from trickle.demo.observe import Look, Refreshes, Replay, StreamTableNow
from trickle.demo.stream_tables import DEFINITIONS
from trickle.demo.view import Shown, line, screen

CURRENT = StreamTableNow("routes", "DIFFERENTIAL", "ACTIVE", None, False, 0.4, 12.3, 10, 20, 10, "worker-12")
BEHIND = replace(CURRENT, is_behind=True, refreshed_seconds_ago=1.26)
REPLAY = Replay(datetime(2013, 12, 24, 18, 5), 28135, 27110, 27110, 1025, False)
TAKEOVER = TakeOver("worker-11", 3.0, frozenset({"routes", "days"}), 0.0344)


def shown(*tables: StreamTableNow) -> Shown:
    refreshes = Refreshes(12345, 0, 0, 987654, 4.56)
    psql = "trickle pg psql --data-dir /tmp/trickle-1000/server-abcdefgh --database trickle_demo"
    return Shown(Look(REPLAY, tables, refreshes), ("worker-12", "worker-13", "worker-14"), [TAKEOVER], 61.5, 15, psql)


def rendered(what: Shown, width: int = 200) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(screen(what))
    return capture.get()


def test_a_full_view_fits_80_columns_and_24_lines() -> None:
    tables = (replace(BEHIND, name=wanted.name) for wanted in DEFINITIONS)
    text = rendered(shown(*tables), width=80)
    # One line is for the cursor.
    assert len(text.splitlines()) <= 23
    assert "…" not in text


def test_freshness_is_told_by_the_worst() -> None:
    older = replace(BEHIND, name="days", refreshed_seconds_ago=3.0)
    assert "1 current, 2 behind by ≤ 3.0 s" in rendered(shown(CURRENT, BEHIND, older))
    assert "all current" in rendered(shown(CURRENT))


def test_what_is_wrong_is_shown() -> None:
    text = rendered(
        shown(
            replace(CURRENT, status="ERROR"),
            replace(CURRENT, mode="FULL"),
            replace(CURRENT, instance_id=None),
        )
    )
    assert "ERROR" in text
    assert "FULL" in text
    assert "nobody" in text


def test_a_table_that_was_only_filled_shows_no_refresh() -> None:
    filled = rendered(shown(replace(CURRENT, refresh_ms=None, mode="FULL")))
    assert "filled" in filled
    assert "FULL" not in filled


def test_the_line_tells_the_same() -> None:
    text = line(shown(CURRENT, replace(BEHIND, name="days")))
    assert "\n" not in text
    assert "Dec 24 18:05 in New York: 28135 announced" in text
    assert "1 current, 1 behind by ≤ 1.3 s" in text
    assert "worker-12 owns 2, worker-13 owns 0" in text
    assert "worker-11 killed: its 2 stream tables taken over in 34 ms" in text


def test_a_take_over_that_lasts_is_shown_as_waiting() -> None:
    waiting = replace(shown(CURRENT), takeovers=[replace(TAKEOVER, seconds=None)])
    assert "worker-11 killed: its 2 stream tables waiting" in line(waiting)


def test_before_the_first_event() -> None:
    look = replace(shown(CURRENT).look, replay=None)
    assert "The replay is starting" in rendered(replace(shown(CURRENT), look=look))
