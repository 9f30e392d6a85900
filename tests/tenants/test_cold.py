"""When cold tenants are looked at: the rung and the due at once, the unreachable less and less, each now and then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trickle.tenants.cold import Look, Pace, Watchlist

PACE = Pace(tick_seconds=1, sweep_seconds=60, backoff_cap_seconds=60)
NOTHING = Look(False)


def watched(*tenants: str) -> Watchlist:
    made = Watchlist(PACE)
    made.keep(tenants, 0.0)
    return made


def test_new_ones_are_due_at_once_and_forgotten_ones_never() -> None:
    made = watched("a", "b")
    assert made.due(0.0, 10) == ["a", "b"]
    made.keep(["b", "c"], 5.0)
    assert made.due(5.0, 10) == ["b", "c"]


def test_who_rings_is_swept_and_who_cannot_is_looked_at_each_tick() -> None:
    made = watched("rings", "mute")
    made.looked("rings", NOTHING, True, 0.0, 0.5)
    made.looked("mute", NOTHING, False, 0.0, 0.5)
    assert made.due(1.0, 10) == ["mute"]
    assert made.due(60.0, 10) == ["mute", "rings"]
    made.looked("mute", NOTHING, False, 60.0, 0.5)
    made.ring(["mute", "rings", "stranger"], 60.5)
    assert made.due(60.5, 10) == ["rings", "mute"]


def test_what_is_due_brings_the_look_forward() -> None:
    made = watched("a")
    made.looked("a", Look(False, next_seconds=7.5), True, 0.0, 0.5)
    assert made.next_due() == 7.5
    made.looked("a", Look(False, next_seconds=7000.0), True, 0.0, 0.5)
    assert made.next_due() == 60
    assert made.next_due(but={"a"}) is None


def test_the_unreachable_rests_longer_each_time_even_when_it_rings() -> None:
    made = watched("a")
    pauses = []
    now = 0.0
    for _ in range(8):
        made.looked("a", Look(False, problem="down"), False, now, 0.5)
        made.ring(["a"], now)
        pauses.append((made.next_due() or 0.0) - now)
        now = made.next_due() or 0.0
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert made.tenants["a"].failures == 8
    made.looked("a", NOTHING, True, now, 0.5)
    assert made.tenants["a"].failures == 0


@given(st.integers(1, 40), st.integers(1, 10), st.lists(st.floats(0.01, 3), min_size=1, max_size=50))
def test_a_bounded_look_still_comes_round_to_everybody(count: int, most: int, steps: list[float]) -> None:
    """However few may be looked at in a turn, nobody is passed over twice."""
    names = [f"t{number:02}" for number in range(count)]
    made = Watchlist(PACE)
    made.keep(names, 0.0)
    now, waits = 0.0, dict.fromkeys(names, 0)
    for step in steps * 5:
        now += step
        late = [name for name in names if made.tenants[name].due <= now]
        looked = made.due(now, most)
        assert len(looked) == min(most, len(late))
        for name in names:
            waits[name] = 0 if name in looked or name not in late else waits[name] + 1
        for name in looked:
            made.looked(name, NOTHING, False, now, 0.5)
        assert max(waits.values()) <= -(-count // most)
