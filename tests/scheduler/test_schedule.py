"""Schedules as texts: what they mean, and which are refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trickle.errors import DefinitionError
from trickle.scheduler.schedule import Calculated, Cron, Every, parse_duration_seconds, parse_schedule


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("1h30m", 5400), ("90", 90), ("1w", 604800), ("2d12h", 216000), ("1m1s", 61)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_schedule(text) == Every(seconds)


@pytest.mark.parametrize("text", ["", "-5s", "5x", "s", "5s5", "5S", "1.5s", "99999999999w", "0s", "0", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="invalid schedule"):
        parse_schedule(text)


@pytest.mark.parametrize("text", [None, "calculated"])
def test_calculated(text: str | None) -> None:
    assert parse_schedule(text) == Calculated()


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("*/5 * * * *", "2026-01-01T00:01:00", "2026-01-01T00:05:00"),
        ("@hourly", "2026-01-01T00:00:00", "2026-01-01T01:00:00"),
        ("@daily", "2026-12-31T10:00:00", "2027-01-01T00:00:00"),
        ("@weekly", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("30 0 0 * * *", "2026-01-01T00:00:00", "2026-01-01T00:00:30"),
    ],
)
def test_cron_is_strictly_after_and_in_utc(text: str, after: str, expected: str) -> None:
    cron = parse_schedule(text)
    assert isinstance(cron, Cron)
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert cron.next_after(moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["* * * *", "61 * * * *", "@never", "a b c d e", "5 s"])
def test_what_is_no_cron_expression_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="invalid schedule"):
        parse_schedule(text)


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from("smhdw")), min_size=1, max_size=5))
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    size = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    text = "".join(f"{number}{unit}" for number, unit in parts)
    total = sum(number * size[unit] for number, unit in parts)
    if 0 < total < 2**31:
        assert parse_duration_seconds(text) == total
    else:
        with pytest.raises(DefinitionError):
            parse_duration_seconds(text)
