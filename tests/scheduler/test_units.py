"""What must have one owner: groups that meet, cycles, immediate closures, chains; and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trickle.scheduler.schedule import parse_schedule
from trickle.scheduler.table import Table
from trickle.scheduler.units import divide

SOURCE, OTHER = 900, 901


def table(pgt_id: int, reads: Iterable[int] = (), schedule: str | None = "10s", **more: object) -> Table:
    """Ids from 900 on are ordinary tables."""
    reads = frozenset(reads)
    facts: dict[str, object] = {
        "upstream": frozenset(i for i in reads if i < 900),
        "sources": frozenset(i for i in reads if i >= 900),
        "schedule": parse_schedule(schedule),
    }
    return Table(pgt_id, "public", f"t{pgt_id}", **{**facts, **more})  # type: ignore[arg-type]


def together(*tables: Table) -> set[frozenset[int]]:
    """The units of more than one."""
    by_id = {table.pgt_id: table for table in tables}
    found = divide(by_id).owners
    assert sorted(i for unit in found for i in unit) == sorted(by_id), "each is in exactly one unit"
    return {unit for unit in found if len(unit) > 1}


def test_two_ways_from_one_source_are_one_unit() -> None:
    assert together(table(1, [SOURCE]), table(2, [SOURCE]), table(3, [1, 2])) == {frozenset({1, 2, 3})}


def test_what_lies_on_the_ways_belongs_to_it_and_their_common_start_does_not() -> None:
    tables = (table(1, [SOURCE]), table(2, [1]), table(3, [2]), table(4, [1]), table(5, [3, 4]), table(6, [5]))
    assert together(*tables) == {frozenset({2, 3, 4, 5})}


def test_what_joins_on_the_way_and_comes_from_elsewhere_does_not_belong_to_it() -> None:
    assert together(table(1, [SOURCE]), table(2, [OTHER]), table(3, [1, 2]), table(4, [SOURCE]), table(5, [3, 4])) == {
        frozenset({1, 3, 4, 5})
    }


def test_ways_from_different_sources_do_not_make_a_unit() -> None:
    assert together(table(1, [SOURCE]), table(2, [OTHER]), table(3, [1, 2])) == set()


def test_a_short_cut_is_no_second_way() -> None:
    assert together(table(1, [SOURCE]), table(2, [1]), table(3, [1, 2])) == set()


def test_overlapping_groups_are_one() -> None:
    tables = (table(1, [SOURCE]), table(2, [SOURCE]), table(3, [SOURCE]), table(4, [1, 2]), table(5, [2, 3]))
    assert together(*tables) == {frozenset({1, 2, 3, 4, 5})}


def test_one_member_that_is_not_atomic_ends_the_group() -> None:
    assert together(table(1, [SOURCE]), table(2, [SOURCE], is_atomic=False), table(3, [1, 2])) == set()


def test_a_cycle_is_one_unit_without_what_feeds_it_and_what_reads_it() -> None:
    tables = (table(1, [SOURCE]), table(2, [1, 4]), table(3, [2]), table(4, [3]), table(5, [4]))
    assert together(*tables) == {frozenset({2, 3, 4})}


def test_two_cycles_with_a_way_between_them_are_two_units() -> None:
    tables = (table(1, [2]), table(2, [1]), table(3, [2]), table(4, [3, 5]), table(5, [4]))
    assert together(*tables) == {frozenset({1, 2}), frozenset({4, 5})}


def test_an_immediate_stream_table_belongs_to_what_it_reads() -> None:
    tables = (table(1, [SOURCE]), table(2, [1], refresh_mode="IMMEDIATE"), table(3, [2], refresh_mode="IMMEDIATE"))
    assert together(*tables, table(4, [SOURCE], refresh_mode="IMMEDIATE")) == {frozenset({1, 2, 3})}


def test_calculated_stream_tables_in_a_row_are_a_chain() -> None:
    tables = (table(1, [SOURCE]), table(2, [1], None), table(3, [2], None), table(4, [3], None))
    assert together(*tables) == {frozenset({2, 3, 4})}, "the first has a schedule of its own"


@pytest.mark.parametrize(
    "more",
    [
        (table(3, [2], None), table(4, [2], None)),
        (table(3, [2, SOURCE], None),),
        (table(1, [OTHER], None), table(3, [2, 1], None)),
        (table(3, [2], "5s"),),
    ],
    ids=["two readers", "reads a table too", "reads another too", "has a schedule"],
)
def test_what_branches_is_no_chain(more: tuple[Table, ...]) -> None:
    assert together(table(2, [SOURCE], None), *more) == set()


GRAPHS = st.dictionaries(st.integers(0, 9), st.frozensets(st.integers(0, 9)), max_size=10)


@given(GRAPHS, st.frozensets(st.integers(0, 9)), st.permutations(range(10)))
def test_any_graph_is_divided_and_its_order_does_not_matter(
    reads: Mapping[int, frozenset[int]], calculated: frozenset[int], order: list[int]
) -> None:
    def made(ids: Iterable[int]) -> set[frozenset[int]]:
        return together(*(table(i, reads[i] & reads.keys(), None if i in calculated else "1s") for i in ids))

    assert made(reads) == made(i for i in order if i in reads)
