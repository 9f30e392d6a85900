"""How values look to people and to programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from trickle.cli import output
from trickle.client import RefreshOutcome


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (1.26, "1.3 s"),
        (59.9, "59.9 s"),
        (125, "2 min 5 s"),
        (3599.7, "1 h 0 min"),
        (12_000, "3 h 20 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert output.duration(timedelta(seconds=seconds)) == words


def test_json_has_json_types_only(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json(
        {
            "outcome": RefreshOutcome("FULL", 1, 2, 3, None),
            "when": datetime(2026, 1, 2, tzinfo=UTC),
            "for": (timedelta(seconds=1.5), Decimal("12"), Decimal("0.5")),
        }
    )
    assert json.loads(capsys.readouterr().out) == {
        "outcome": {
            "action": "FULL",
            "rows_inserted": 1,
            "rows_updated": 2,
            "rows_deleted": 3,
            "reason": None,
        },
        "when": "2026-01-02T00:00:00+00:00",
        "for": [1.5, 12, 0.5],
    }


def test_a_name_is_never_markup_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    name = "[red]" + "x" * 150
    output.print_rows([{"name": name}], ("name",))
    assert name in capsys.readouterr().out
