"""Looks in portions: everything is looked at, a bell counts as looked at when all of its stream tables are.

Lies it would catch: a portion that leaves one out; a bell that is armed though an earlier portion found something;
stream tables of an armed bell that are forgotten because the catalog was read meanwhile.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trickle.supervisor.looks import Looks

NOTHING = frozenset[int]()


@given(
    st.dictionaries(st.integers(0, 9), st.frozensets(st.integers(0, 30))),
    st.frozensets(st.integers(0, 30)),
    st.frozensets(st.integers(0, 30)),
    st.integers(1, 8),
)
def test_all_are_looked_at_and_none_twice_for_a_bell(
    bells: dict[int, frozenset[int]], armed: frozenset[int], changed: frozenset[int], size: int
) -> None:
    looks = Looks()
    looks.begin(bells)
    looks.armed(armed)
    over: dict[int, frozenset[int]] = {}
    asked = {number: list[int]() for number in bells}
    after = list[int]()
    while looks:
        portion = looks.portion(size)
        assert len(portion.after) + sum(map(len, portion.before.values())) <= size
        for number, tables in portion.before.items():
            asked[number] += tables
        after += portion.after
        ended = looks.looked(portion, portion.tables & changed)
        assert not ended.keys() & over.keys()
        over |= ended
    assert {number: sorted(tables) for number, tables in asked.items()} == {n: sorted(t) for n, t in bells.items()}
    assert sorted(after) == sorted(armed)
    assert over == {number: tables & changed for number, tables in bells.items()}


def test_a_look_that_is_not_over_is_not_begun_again() -> None:
    looks = Looks()
    looks.begin({1: [1, 2, 3]})
    assert looks.looked(looks.portion(2), frozenset({1})) == {}
    looks.begin({1: [1, 2, 3]})
    last = looks.portion(2)
    assert last.tables == {3}
    assert looks.looked(last, NOTHING) == {1: {1}}
    assert not looks


def test_who_listens_to_an_armed_bell_is_looked_at_whatever_the_catalog_says_meanwhile() -> None:
    looks = Looks()
    looks.begin({1: [1, 2], 2: [3]})
    looks.armed([4, 5])
    looks.keep(frozenset({1, 3, 5}))
    assert looks.portion(9).tables == {5}
    looks.forget()
    assert not looks
