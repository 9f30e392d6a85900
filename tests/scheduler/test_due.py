"""Due or not: the questions in their order, one table at one moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from trickle.scheduler.due import Policy, Verdict, judge, needs_compiling
from trickle.scheduler.schedule import Calculated, parse_schedule
from trickle.scheduler.table import Table, Tier

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
POLICY = Policy(slack_seconds=0.0)


def table(schedule: str | None = "10s", age_seconds: float | None = 60, **more: object) -> Table:
    last = None if age_seconds is None else NOW - timedelta(seconds=age_seconds)
    return replace(
        Table(1, "public", "t", schedule=parse_schedule(schedule), last_refresh_at=last),
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("given", "has_changes", "verdict"),
    [
        (table(age_seconds=10), True, Verdict.REFRESH),
        (table(age_seconds=10), False, Verdict.TOUCH),
        (table(age_seconds=9.9), True, Verdict.WAIT),
        (table(age_seconds=None), True, Verdict.REFRESH),
        (table(age_seconds=19, tier=Tier.WARM), True, Verdict.WAIT),
        (table(age_seconds=20, tier=Tier.WARM), True, Verdict.REFRESH),
        (table(age_seconds=99, tier=Tier.COLD), True, Verdict.WAIT),
        (table(age_seconds=100, tier=Tier.COLD), True, Verdict.REFRESH),
        (table(age_seconds=9999, tier=Tier.FROZEN), True, Verdict.WAIT),
        (table(tier=Tier.FROZEN, is_populated=False), False, Verdict.REFRESH),
        (table(age_seconds=1, is_populated=False), False, Verdict.REFRESH),
        (table(age_seconds=1, needs_reinit=True), False, Verdict.REFRESH),
        (table(status="SUSPENDED"), True, Verdict.WAIT),
        (table(status="ERROR", is_populated=False), True, Verdict.WAIT),
        (table(status="INITIALIZING", is_populated=False), True, Verdict.REFRESH),
        # Its writers keep it; what a worker finds changed is how its sources look.
        (table(refresh_mode="IMMEDIATE", age_seconds=9999), False, Verdict.WAIT),
        (table(refresh_mode="IMMEDIATE"), True, Verdict.REFRESH),
        (table(refresh_mode="IMMEDIATE", needs_reinit=True), False, Verdict.REFRESH),
        (table(None), True, Verdict.REFRESH),
        (table(None, age_seconds=9999), False, Verdict.WAIT),
        (table("0 * * * *", age_seconds=1), True, Verdict.REFRESH),
        (table("0 * * * *", age_seconds=0), True, Verdict.WAIT),
        (table("0 * * * *", age_seconds=3600), False, Verdict.TOUCH),
        (table("0 * * * *", age_seconds=3600, tier=Tier.COLD), True, Verdict.REFRESH),
    ],
)
def test_verdicts(given: Table, has_changes: bool, verdict: Verdict) -> None:
    assert judge(given, has_changes, NOW, POLICY) is verdict


def test_tiers_count_only_when_tiered_scheduling_is_on() -> None:
    off = Policy(tiered_scheduling=False, slack_seconds=0.0)
    assert judge(table(age_seconds=11, tier=Tier.COLD), True, NOW, off) is Verdict.REFRESH
    assert judge(table(age_seconds=11, tier=Tier.FROZEN), True, NOW, off) is Verdict.REFRESH


def test_a_tick_that_comes_a_little_early_still_counts() -> None:
    assert judge(table(age_seconds=9.95), True, NOW, Policy(slack_seconds=0.1)) is Verdict.REFRESH


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (table(program_state="none"), True),
        (table(program_state="stale", program_version="2"), True),
        (table(program_state="compiled", program_version="1"), True),
        (table(program_state="full_only", program_version="1"), True),
        (table(program_state="compiled", program_version="2"), False),
        (table(program_state="compiled", program_version="10"), False),
        (table(program_state="compiled", program_version="newest"), True),
        (table(program_state="compiled", program_version=None), True),
        (table(program_state="none", refresh_mode="FULL"), False),
        (table(program_state="none", refresh_mode="IMMEDIATE"), True),
        (table(program_state="none", status="ERROR"), False),
    ],
)
def test_what_is_compiled(given: Table, expected: bool) -> None:
    assert needs_compiling(given, "2") is expected


def test_without_a_version_nothing_is_too_old() -> None:
    assert not needs_compiling(table(program_state="compiled", program_version="1"), "")


def test_calculated_is_the_default() -> None:
    assert Table(1, "public", "t").schedule == Calculated()
