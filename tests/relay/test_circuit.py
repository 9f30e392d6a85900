"""The circuit of a destination and the bucket of a rate limit: laws for any order of failures, answers and waits."""

from __future__ import annotations

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trickle.relay.circuit import Circuit, State
from trickle.relay.rate import Bucket

DRAWS = st.floats(0, 1, exclude_max=True)
PAUSES = st.floats(0, 100)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(st.integers(1, 10), st.lists(st.tuples(DRAWS, PAUSES), min_size=1, max_size=40))
def test_so_many_failures_in_a_row_open_it(threshold: int, failures: list[tuple[float, float]]) -> None:
    circuit, now = Circuit(threshold, 30.0, 0.1), 0.0
    for number, (draw, pause) in enumerate(failures, start=1):
        circuit.failed(now, draw)
        assert circuit.opened == (number >= threshold)
        assert 0 < circuit.retry_at - now <= 30.0 * 1.25
        now += pause
        expected = State.CLOSED if number < threshold else State.HALF_OPEN if circuit.may_try(now) else State.OPEN
        assert circuit.state(now) is expected


@PATIENT
@given(st.lists(DRAWS, max_size=40), st.floats(0, 1000))
def test_an_answer_closes_it_at_once(failures: list[float], now: float) -> None:
    circuit = Circuit(3)
    for draw in failures:
        circuit.failed(now, draw)
    circuit.succeeded()
    assert circuit.state(now) is State.CLOSED
    assert circuit.may_try(now)
    circuit.failed(now, 0.5)
    assert not circuit.opened


@PATIENT
@given(st.lists(DRAWS, min_size=2, max_size=40))
def test_pauses_grow_to_their_limit(draws: list[float]) -> None:
    circuit, pauses = Circuit(5, half_open_seconds=30.0, backoff=0.1), []
    for _ in draws:
        circuit.failed(0.0, 0.5)
        pauses.append(circuit.retry_at)
    assert pauses == sorted(pauses)
    assert pauses[0] == 0.1
    assert max(pauses) <= 30.0


@PATIENT
@given(st.floats(0, 500))
def test_it_waits_as_long_as_the_destination_asks(asked: float) -> None:
    circuit = Circuit(5, half_open_seconds=30.0)
    circuit.failed(10.0, 0.5, asked)
    assert circuit.retry_at >= 10.0 + asked


@PATIENT
@given(
    st.floats(0.1, 10_000),
    st.floats(1, 5_000),
    st.lists(st.tuples(st.floats(0, 5), st.integers(0, 3000)), min_size=1, max_size=50),
)
def test_never_more_goes_than_the_rate_and_one_burst(rate: float, burst: float, asks: list[tuple[float, int]]) -> None:
    bucket, now, gone = Bucket(rate, burst), 0.0, 0
    for pause, wanted in asks:
        now += pause
        count = bucket.available(now, wanted)
        assert 0 <= count <= wanted
        bucket.spend(count)
        gone += count
        assert gone <= burst + rate * now + 1e-6 * (1 + gone)


@PATIENT
@given(st.floats(0.1, 10_000), st.floats(1, 100), st.integers(1, 200))
def test_whoever_waits_until_the_next_moment_gets_on(rate: float, burst: float, wanted: int) -> None:
    """Without busy waiting: at the moment that it names, or a rounding error later, a message may go."""
    bucket, now = Bucket(rate, burst), 0.0
    for _ in range(wanted):
        moment = bucket.next_at(now)
        assert moment is not None
        now = max(now, math.nextafter(moment, math.inf) + 1e-9)
        bucket.spend(bucket.available(now, 1))
    assert now <= wanted / rate + 1.0


@PATIENT
@given(st.integers(0, 10_000))
def test_no_rate_is_no_limit(wanted: int) -> None:
    bucket = Bucket()
    assert bucket.available(0.0, wanted) == wanted
    bucket.spend(wanted)
    assert bucket.next_at(0.0) is None
