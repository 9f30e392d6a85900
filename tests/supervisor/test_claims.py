"""Shares: everyone computes the same, little moves, nothing in hand is given up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trickle.supervisor.claims import Member, decide, owner, share

KEYS = {f"public.t{number}": number * 7919 - 2**31 for number in range(1000)}


def members(*names: str) -> tuple[Member, ...]:
    return tuple(Member(name) for name in names)


def test_every_name_has_exactly_one_owner() -> None:
    everyone = members("a", "b", "c")
    shares = [share(KEYS, everyone, member.instance_id) for member in everyone]
    assert frozenset().union(*shares) == KEYS.keys()
    assert sum(map(len, shares)) == len(KEYS)


def test_shares_are_fair() -> None:
    everyone = members("a", "b", "c", "d")
    sizes = [len(share(KEYS, everyone, member.instance_id)) for member in everyone]
    assert all(200 <= size <= 300 for size in sizes), sizes


def test_capacity_weighs() -> None:
    everyone = (Member("big", 3), Member("small", 1))
    assert 700 <= len(share(KEYS, everyone, "big")) <= 800


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_members_does_not_matter(names: list[str]) -> None:
    assert owner(42, members(*names)) == owner(42, members("a", "b", "c", "d"))


def test_a_leaving_member_moves_only_its_own_names() -> None:
    before = {name: owner(key, members("a", "b", "c")) for name, key in KEYS.items()}
    after = {name: owner(key, members("a", "b")) for name, key in KEYS.items()}
    assert all(after[name] == before[name] for name in KEYS if before[name] != "c")


def test_a_joining_member_takes_only_its_own_share() -> None:
    before = {name: owner(key, members("a", "b")) for name, key in KEYS.items()}
    after = {name: owner(key, members("a", "b", "c")) for name, key in KEYS.items()}
    moved = {name for name in KEYS if before[name] != after[name]}
    assert {after[name] for name in moved} == {"c"}
    assert 250 <= len(moved) <= 420


def test_names_behind_one_key_have_one_owner() -> None:
    everyone = members("a", "b", "c")
    assert len({owner(5, everyone) for _ in ("first name", "second name")}) == 1


def test_nobody_owns_without_members() -> None:
    assert owner(1, ()) is None
    assert share(KEYS, (), "a") == frozenset()


NAMES = st.frozensets(st.sampled_from("abcdef"))


@given(mine=NAMES, held=NAMES, in_hand=NAMES)
def test_what_is_in_hand_is_never_released(mine: frozenset[str], held: frozenset[str], in_hand: frozenset[str]) -> None:
    decision = decide(mine, held, in_hand)
    assert not decision.release & in_hand
    assert decision.take == mine - held
    assert (held | decision.take) - decision.release == mine | (held & in_hand)
