"""Shares: everyone computes the same, never a unit too much, little moves, nothing in hand is given up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trickle.supervisor.claims import Member, assign, decide, owner, quotas

UNITS = [number * 7919 - 2**31 for number in range(1000)]
KEYS = st.sets(st.integers(-(2**31), 2**31 - 1), max_size=60)
MEMBERS = st.lists(
    st.builds(Member, st.text(max_size=8), st.integers(1, 1000)), max_size=8, unique_by=lambda m: m.instance_id
)


def members(*names: str) -> tuple[Member, ...]:
    return tuple(Member(name) for name in names)


@given(KEYS, MEMBERS)
def test_nobody_is_a_whole_unit_off(units: set[int], everyone: list[Member]) -> None:
    owners = assign(units, everyone)
    assert owners.keys() == (units if everyone else set())
    sizes = Counter(owners.values())
    for member in everyone:
        ideal = Fraction(len(units) * member.capacity, sum(m.capacity for m in everyone))
        assert abs(sizes[member.instance_id] - ideal) < 1


@given(st.sets(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=40), MEMBERS, st.randoms(use_true_random=False))
def test_everyone_computes_the_same(units: set[int], everyone: list[Member], chance: random.Random) -> None:
    shuffled_units, shuffled = list(units), list(everyone)
    chance.shuffle(shuffled_units)
    chance.shuffle(shuffled)
    assert assign(shuffled_units, shuffled) == assign(units, everyone)


@given(st.integers(0, 10_000), MEMBERS)
def test_quotas_divide_everything(count: int, everyone: list[Member]) -> None:
    assert sum(quotas(count, everyone).values()) == (count if everyone else 0)


def moved(units: Collection[int], before: Collection[Member], after: Collection[Member]) -> Fraction:
    """What moves, as a multiple of what must."""
    old, new = assign(units, before), assign(units, after)
    allowed = quotas(len(units), after)
    least = sum(max(0, size - allowed.get(name, 0)) for name, size in Counter(old.values()).items())
    return Fraction(sum(old[unit] != new[unit] for unit in units), least)


@pytest.mark.parametrize(("count", "on_average", "at_most"), [(100, 1.25, 1.9), (1000, 1.12, 1.3)])
def test_little_moves_that_does_not_have_to(count: int, on_average: float, at_most: float) -> None:
    chance = random.Random(4)
    ratios: list[Fraction] = []
    for size in (1, 2, 3, 4, 6):
        for _ in range(4):
            units = chance.sample(range(-(2**31), 2**31), count)
            everyone = members(*(f"host-{chance.randrange(10**9)}" for _ in range(size + 1)))
            ratios += [moved(units, everyone[1:], everyone), moved(units, everyone, everyone[1:])]
    assert sum(ratios) / len(ratios) <= on_average
    assert max(ratios) <= at_most


def test_capacity_weighs() -> None:
    sizes = Counter(assign(UNITS, (Member("big", 3), Member("small", 1))).values())
    assert sizes == {"big": 750, "small": 250}


def test_a_unit_more_or_less_moves_little_else() -> None:
    everyone = members("a", "b", "c")
    before, after = assign(UNITS, everyone), assign(UNITS[1:], everyone)
    assert sum(before[unit] != after[unit] for unit in UNITS[1:]) <= 3


def test_nobody_owns_without_members() -> None:
    assert owner(1, ()) is None
    assert assign(UNITS, ()) == {}


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_members_does_not_matter(names: list[str]) -> None:
    assert owner(42, members(*names)) == owner(42, members("a", "b", "c", "d"))


NAMES = st.frozensets(st.sampled_from("abcdef"))


@given(mine=NAMES, held=NAMES, in_hand=NAMES)
def test_what_is_in_hand_is_never_released(mine: frozenset[str], held: frozenset[str], in_hand: frozenset[str]) -> None:
    decision = decide(mine, held, in_hand)
    assert not decision.release & in_hand
    assert decision.take == mine - held
    assert (held | decision.take) - decision.release == mine | (held & in_hand)
