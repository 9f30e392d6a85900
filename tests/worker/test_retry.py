"""Failures are sorted by SQLSTATE, and waits grow with jitter."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trickle.clock import backoff_seconds
from trickle.db.retry import Kind, kind_of, kind_of_error, retry_seconds


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        (None, Kind.CONNECTION),
        ("08006", Kind.CONNECTION),
        ("57P01", Kind.CONNECTION),
        ("25006", Kind.CONNECTION),
        ("40001", Kind.PASSING),
        ("40P01", Kind.PASSING),
        ("55P03", Kind.PASSING),
        ("57014", Kind.PASSING),
        ("53100", Kind.PASSING),
        ("XX000", Kind.PASSING),
        ("22012", Kind.DEFINITE),
        ("23505", Kind.DEFINITE),
        ("42P01", Kind.DEFINITE),
        ("42501", Kind.DEFINITE),
        ("28P01", Kind.DEFINITE),
        ("0A000", Kind.DEFINITE),
    ],
)
def test_kinds(sqlstate: str | None, kind: Kind) -> None:
    assert kind_of(sqlstate) is kind


def test_errors() -> None:
    assert kind_of_error(psycopg.OperationalError("gone")) is Kind.CONNECTION
    assert kind_of_error(psycopg.errors.DeadlockDetected()) is Kind.PASSING
    assert kind_of_error(psycopg.errors.DivisionByZero()) is Kind.DEFINITE
    assert kind_of_error(ValueError()) is Kind.DEFINITE


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_back_off_stays_within_its_jitter(attempt: int, draw: float) -> None:
    wait = backoff_seconds(attempt, base=1.0, cap=60.0, draw=draw)
    middle = min(60.0, 2.0 ** (attempt - 1))
    assert 0.75 * middle <= wait < 1.25 * middle + 1e-9


@pytest.mark.parametrize("kind", Kind)
def test_waits_grow(kind: Kind) -> None:
    waits = [retry_seconds(kind, attempt, 0.5) for attempt in range(1, 15)]
    assert waits == sorted(waits)
