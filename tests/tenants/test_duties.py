"""What a look at a tenant's stream tables and pipelines leads to: the judgement of a worker, and no more than that.

Lies it would catch: a tenant that becomes hot for what a worker would leave alone, or never for what it would do; a
note that is itself written so often that it makes the tenant look busy.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from trickle.ivm import COMPILER_VERSION
from trickle.scheduler.schedule import Calculated, parse_schedule
from trickle.scheduler.table import Table, Tier
from trickle.tenants.cold import Look
from trickle.tenants.duties import Duties, both, look_of, unnoted
from trickle.tenants.kinds import Kinds
from trickle.tenants.tenant import Tenant

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = Table(
    1,
    "public",
    "t",
    schedule=parse_schedule("1m"),
    program_version=COMPILER_VERSION,
    last_refresh_at=NOW - timedelta(seconds=50),
)
LATE = replace(TABLE, last_refresh_at=NOW - timedelta(seconds=70))


def found(table: Table, *, has_changes: bool) -> Duties:
    return Duties(NOW, (table,), frozenset({1} if has_changes else ()))


@pytest.mark.parametrize(
    ("table", "has_changes", "look"),
    [
        (TABLE, False, Look(False)),
        (LATE, False, Look(False)),
        (LATE, True, Look(True)),
        (replace(TABLE, schedule=Calculated()), True, Look(True)),
        (replace(TABLE, is_populated=False), False, Look(True)),
        (replace(TABLE, needs_reinit=True), False, Look(True)),
        (replace(TABLE, program_state="stale"), False, Look(True)),
        (replace(TABLE, program_version="1"), False, Look(True)),
        (replace(LATE, status="SUSPENDED", program_state="stale"), True, Look(False)),
        (replace(LATE, held="a gate"), True, Look(False)),
        (replace(LATE, tier=Tier.FROZEN), True, Look(False)),
        (replace(LATE, refresh_mode="IMMEDIATE"), False, Look(False)),
    ],
)
def test_what_a_worker_would_do_now(table: Table, has_changes: bool, look: Look) -> None:
    assert look_of(found(table, has_changes=has_changes)) == look


def test_what_is_due_later_is_waited_for() -> None:
    look = look_of(found(TABLE, has_changes=True))
    assert not look.has_work
    assert look.next_seconds == pytest.approx(10, abs=0.2)
    hourly = replace(TABLE, schedule=parse_schedule("@hourly"), last_refresh_at=NOW)
    assert look_of(found(hourly, has_changes=True)) == Look(False, 3600)


def test_messages_are_work() -> None:
    assert look_of(Duties(NOW, pipelines=1, has_messages=True)) == Look(True)
    assert look_of(Duties(NOW, pipelines=1)) == Look(False)
    assert Duties(NOW, pipelines=1).kinds == Kinds(pipelines=True)


def test_what_was_due_without_changes_is_noted_now_and_then() -> None:
    assert unnoted(found(LATE, has_changes=False)) == [1]
    assert unnoted(found(LATE, has_changes=True)) == []
    each_second = replace(TABLE, schedule=parse_schedule("1s"), last_refresh_at=NOW - timedelta(seconds=20))
    assert unnoted(found(each_second, has_changes=False)) == []
    assert unnoted(found(replace(each_second, last_refresh_at=NOW - timedelta(seconds=40)), has_changes=False)) == [1]


def test_two_looks_are_one() -> None:
    assert both(Look(False, 5), Look(False)) == Look(False, 5)
    assert both(Look(False, 5), Look(True, 3)) == Look(True, 3)


def test_only_a_database_of_its_own_has_stream_tables_of_the_tenant() -> None:
    kinds = Kinds(refreshes=True)
    assert kinds.of(Tenant("a", "dbname=a")) == kinds
    assert not kinds.of(Tenant("a", "dbname=a", schema="jobs_a"))
