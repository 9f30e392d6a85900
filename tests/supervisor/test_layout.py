"""Claims by name and by shard: within the budget, nothing divided that belongs together, stable under growth."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping

from hypothesis import given
from hypothesis import strategies as st

from trickle.db.locks import shard_count
from trickle.supervisor.claims import Member
from trickle.supervisor.layout import Layout, arrange, budget, shards

ALONE: tuple[frozenset[str], ...] = ()


def key_of(name: str) -> int:
    return zlib.crc32(name.encode()) - 2**31


def keys_of(names: Collection[str]) -> Mapping[str, int]:
    return {name: key_of(name) for name in names}


def named(count: int) -> dict[str, int]:
    return {f"public.t{number}": key_of(f"public.t{number}") for number in range(count)}


def owner_of(layout: Layout, members: Collection[Member]) -> dict[str, str]:
    """Who owns each name; fails when a name has not exactly one owner."""
    owners: dict[str, str] = {}
    for member in members:
        share = layout.share(members, member.instance_id)
        for name, claim in layout.claim_of.items():
            if claim in share:
                assert owners.setdefault(name, member.instance_id) == member.instance_id
    assert owners.keys() == layout.claim_of.keys()
    return owners


def test_few_names_are_claimed_each_by_itself() -> None:
    layout = arrange(named(640), ALONE, 640, keys_of)
    assert layout.claim_of == {name: name for name in named(640)}
    assert len(layout.units) == 640


def test_one_more_and_they_are_claimed_by_shard() -> None:
    layout = arrange(named(641), ALONE, 640, keys_of)
    assert {shard_count(claim) for claim in layout.claim_of.values()} == {256}
    assert len(set(layout.claim_of.values())) <= 256


def test_shards_stay_while_names_come() -> None:
    before, after = (arrange(named(count), ALONE, 640, keys_of).claim_of for count in (1_000, 10_000))
    assert all(after[name] == claim for name, claim in before.items())


def test_the_number_of_shards_is_a_power_of_two_within_half_the_budget() -> None:
    for allowed in range(2, 5000):
        count = shards(allowed)
        assert count & (count - 1) == 0
        assert count <= allowed // 2 < 2 * count
    assert shards(0) == shards(1) == 1


def test_members_of_a_unit_keep_their_names() -> None:
    names = named(1000)
    pair = frozenset({"public.t1", "public.t2"})
    layout = arrange(names, [pair], 640, keys_of)
    assert [layout.claim_of[name] for name in sorted(pair)] == sorted(pair)
    assert layout.shard_count == 256
    owners = owner_of(layout, [Member("a"), Member("b"), Member("c")])
    assert len({owners[name] for name in pair}) == 1


def test_too_many_units_are_claimed_by_shard_and_not_divided() -> None:
    names = named(1000)
    pairs = [frozenset({f"public.t{n}", f"public.t{n + 1}"}) for n in range(0, 1000, 2)]
    layout = arrange(names, pairs, 100, keys_of)
    assert len(set(layout.claim_of.values())) <= 100
    owners = owner_of(layout, [Member("a"), Member("b")])
    assert all(len({owners[name] for name in pair}) == 1 for pair in pairs)


def test_names_behind_one_key_have_one_owner() -> None:
    names = {f"public.t{number}": number // 2 for number in range(100)}
    owners = owner_of(arrange(names, ALONE, 640, keys_of), [Member(name) for name in "abcde"])
    assert all(owners[f"public.t{n}"] == owners[f"public.t{n + 1}"] for n in range(0, 100, 2))


def test_a_name_and_a_shard_behind_one_key_have_one_owner() -> None:
    members = [Member(name) for name in "abcde"]
    for number in range(16):
        shard = f"shard:{number}/64"
        names = named(200) | {"public.same": key_of(shard)}
        layout = arrange(names, ALONE, 128, keys_of)
        assert layout.shard_count == 64
        holder = [m.instance_id for m in members if shard in layout.share(members, m.instance_id)]
        assert shard not in layout.claim_of.values() or holder == [owner_of(layout, members)["public.same"]]


def test_the_smallest_budget_counts_for_all() -> None:
    assert budget([Member("a", 1, 640), Member("b", 1, 320)]) == 320
    assert budget([]) == 0


@given(
    names=st.dictionaries(st.text(max_size=5), st.integers(-(2**31), 2**31 - 1), max_size=40),
    allowed=st.integers(0, 50),
    capacities=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    data=st.data(),
)
def test_every_name_has_one_owner_within_the_budget(
    names: dict[str, int], allowed: int, capacities: list[int], data: st.DataObject
) -> None:
    ordered = sorted(names)
    labels = data.draw(st.lists(st.integers(0, 20), min_size=len(ordered), max_size=len(ordered)))
    units = [frozenset(n for n, own in zip(ordered, labels, strict=True) if own == label) for label in set(labels)]
    layout = arrange(names, units, allowed, keys_of)
    owners = owner_of(layout, [Member(f"i{n}", capacity) for n, capacity in enumerate(capacities)])
    assert all(len({owners[name] for name in unit}) == 1 for unit in units)
    assert len(set(layout.claim_of.values())) <= max(1, allowed)
