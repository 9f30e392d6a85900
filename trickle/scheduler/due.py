"""Is this stream table due? Decided for one table at one moment, from values only.

The order of the questions is the order of the documentation: state, completeness, tier, then the schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from trickle.cron import Cron
from trickle.scheduler.schedule import Every
from trickle.scheduler.table import TIER_MULTIPLIER, Table, Tier

# Modes that a program can serve; the others are never compiled by a worker.
_COMPILED_MODES = frozenset({"AUTO", "DIFFERENTIAL", "IMMEDIATE"})


class Verdict(StrEnum):
    """What a look at one table says."""

    WAIT = "wait"
    REFRESH = "refresh"
    TOUCH = "touch"  # due, and nothing has changed: only the moment is noted


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of the database that bear on the decision."""

    tiered_scheduling: bool = True
    fuses_chains: bool = True
    auto_backoff: bool = True
    tick_seconds: float = 1.0  # between two looks at the clock
    # A tick comes a little early or late; without slack a table of the tick's period would miss every other
    # one.
    slack_seconds: float = 0.1
    # Only a refresh notices that a source was altered or its capture switched off, and then no change is ever
    # seen again. So each table gets one now and then although nothing seems to have changed: a millisecond.
    check_seconds: float = 30.0


def judge(table: Table, has_changes: bool, now: datetime, policy: Policy, is_urgent: bool = False) -> Verdict:
    """What to do with this table now, apart from what else runs. One that is urgent does not wait for its schedule."""
    if not table.is_runnable:
        return Verdict.WAIT
    if not table.is_populated or table.needs_reinit:
        return Verdict.REFRESH
    if table.is_immediate:
        # Its writers keep it. What is left to a worker is to repair it when a source was altered.
        return Verdict.REFRESH if has_changes else Verdict.WAIT
    if policy.tiered_scheduling and table.tier is Tier.FROZEN:
        return Verdict.WAIT
    if not (has_changes and is_urgent) and not _time_has_come(table, has_changes, now, policy):
        return Verdict.WAIT
    return Verdict.REFRESH if has_changes else Verdict.TOUCH


def needs_compiling(table: Table, compiler_version: str) -> bool:
    """Whether a program should be made: there is none, it is stale, or an older compiler made it.

    That of a newer one stays: two versions at work side by side must not undo each other's programs.
    """
    if not table.is_runnable or table.refresh_mode not in _COMPILED_MODES:
        return False
    if table.program_state in ("none", "stale"):
        return True
    return bool(compiler_version) and _number(table.program_version) < _number(compiler_version)


def _number(version: str | None) -> int:
    """Versions of the compiler are whole numbers; anything else is older than all of them."""
    return int(version) if version is not None and version.isdecimal() else -1


def takes_part(table: Table, policy: Policy) -> bool:
    """Whether it is refreshed when its unit is."""
    is_frozen = policy.tiered_scheduling and table.tier is Tier.FROZEN and table.is_populated and not table.needs_reinit
    return table.is_runnable and not is_frozen


def is_ready(table: Table, now: datetime, policy: Policy) -> bool:
    """Whether its time has come, changes or not: what `slowest` asks of every member."""
    return not table.is_populated or table.needs_reinit or _time_has_come(table, True, now, policy)


def wakes_at(table: Table, policy: Policy) -> datetime | None:
    """The next moment at which its time comes by itself; None when it waits for a change."""
    last = table.last_refresh_at
    if last is None or not takes_part(table, policy) or table.is_immediate:
        return None
    match table.schedule:
        case Cron() as cron:
            return cron.next_after(last)
        case Every():
            return last + _period(table, policy)
        case _:
            return None


def _time_has_come(table: Table, has_changes: bool, now: datetime, policy: Policy) -> bool:
    last = table.last_refresh_at
    match table.schedule:
        case Cron() as cron:
            upcoming = cron.next_after(last) if last is not None else now
            return upcoming is not None and now >= upcoming
        case Every():
            return last is None or now - last >= _period(table, policy)
        case _:
            return has_changes


def period_seconds(table: Table, policy: Policy) -> float | None:
    """How often its schedule and its tier would have it refreshed; None without a fixed period."""
    match table.schedule:
        case Every(seconds=seconds):
            return float(seconds * (TIER_MULTIPLIER.get(table.tier, 1) if policy.tiered_scheduling else 1))
        case _:
            return None


def _period(table: Table, policy: Policy) -> timedelta:
    stretch = table.stretch if policy.auto_backoff else 1
    return timedelta(seconds=(period_seconds(table, policy) or 0.0) * stretch - policy.slack_seconds)
