"""The trials are tried: a program with a mistake put in must be caught by them.

Lies it would catch: a random test that passes whatever the compiler does.
Oracle: the mistakes are known to be mistakes; each trial has to find a stream table that is wrong. The mistake is
put into the text of every program that holds the passage; a mistake that fits nowhere is an error of this file.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.databases import Database

import trickle
from property import steps
from property.test_interleavings import STORIES
from property.test_interleavings import play as play_interleaved
from property.test_random_queries import play
from property.trial import Wrong, trial
from trickle.catalog import install
from trickle.ivm import Program
from trickle.ivm.algebra.relations import UnionAll
from trickle.ivm.delta import Delta, block

# Name, passage of a program, what stands there instead, and the shapes of query that have it.
IN_THE_QUERY = {
    "the change of both sides is added, not taken away": (r"- \((\S+ \* \S+)\) AS __pgt_w", r"(\1) AS __pgt_w", "rows"),
    "rows that cancel are applied": (r"HAVING sum\((\S+)\) <> 0", r"HAVING sum(\1) IS NOT NULL", "rows"),
    "each row is inserted once, however often it was": (
        r"unnest\(array_fill\(1, ARRAY\[greatest\(__pgt_w, 0\)::int\]\)\)",
        "generate_series(1, 1)",
        "rows",
    ),
    "one copy too few is deleted": (r"__pgt_copy <= -x\.__pgt_w", "__pgt_copy < -x.__pgt_w", "rows"),
    "a group without rows stays": (r"folded\.__pgt_rows = 0 THEN 'd'", "false THEN 'd'", "groups"),
    "the group of NULL is not found": (
        r"\(s\.\S+ IS NOT DISTINCT FROM NULL AND d\.\S+ IS NOT DISTINCT FROM NULL\)\)",
        "false)",
        "groups",
    ),
    "what went counts as what came": (r"WHEN -1 THEN \(- (\S+)\)", r"WHEN -1 THEN (\1)", "groups"),
}
IN_THE_FRONTIER = {
    "transactions that were running are taken as seen": (
        r"b\.xid = ANY \(__pgt_late\) AND \(b\.xid <> __pgt_own_xid OR",
        "b.xid = ANY (__pgt_late) AND (false OR b.xid = __pgt_own_xid AND",
    ),
    "own later writes are taken as seen": (
        r"b\.xid <> __pgt_own_xid OR b\.seq > __pgt_own_seq",
        "b.xid <> __pgt_own_xid",
    ),
    "transactions that were running cannot be late": (r"cardinality\(__pgt_late\) > 1", "false"),
    "own later writes cannot be late": (r"b\.xid <= __pgt_own_xid AND b\.seq > __pgt_own_seq", "false"),
    "own earlier writes are taken as new": (r"b\.seq > __pgt_own_seq", "true"),
    "own writes are new twice": (r" AND b\.xid <> __pgt_own_xid", ""),
    "the frontier stays where it was": (r"snapshot = pg_current_snapshot\(\), own_xid", "own_xid"),
    "a truncation goes unnoticed": (r"__pgt_counts\.markers > 0", "false"),
}

generated = settings(
    phases=(Phase.generate,),
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


@pytest.fixture
def altered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Alters the text of every program that is compiled from now on."""
    compile_query = install.compile_query
    fitted: list[int] = []

    def alter(passage: str, instead: str) -> None:
        def mutant(*arguments: Any) -> Program:
            program = compile_query(*arguments)
            text, count = re.subn(passage, instead, program.function)
            fitted.append(count)
            return dataclasses.replace(program, function=text)

        monkeypatch.setattr(install, "compile_query", mutant)

    yield alter
    assert sum(fitted) > 0, "the passage stands in no program any more"


def random_trials(client: trickle.Client, shape: str) -> None:
    @settings(generated, max_examples=150)
    @given(data=st.data())
    def many(data: st.DataObject) -> None:
        play(client, data, [shape])

    many()


@pytest.mark.parametrize("name", IN_THE_QUERY)
def test_a_mistake_in_the_query_is_caught(
    client: trickle.Client, altered: Callable[[str, str], None], name: str
) -> None:
    passage, instead, shape = IN_THE_QUERY[name]
    altered(passage, instead)
    with pytest.raises(Wrong):
        random_trials(client, shape)


def test_a_missing_term_of_a_join_is_caught(client: trickle.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    step = block._step

    def mutant(*arguments: Any) -> Delta | None:
        delta = step(*arguments)
        if delta is None or not isinstance(delta.rel, UnionAll) or len(delta.rel.branches) < 3:
            return delta
        return Delta(dataclasses.replace(delta.rel, branches=delta.rel.branches[:2]), delta.weight)

    monkeypatch.setattr(block, "_step", mutant)
    with pytest.raises(Wrong):
        random_trials(client, "rows")


@pytest.mark.parametrize("name", IN_THE_FRONTIER)
def test_a_mistake_in_the_frontier_is_caught(
    db: Database, client: trickle.Client, altered: Callable[[str, str], None], name: str
) -> None:
    altered(*IN_THE_FRONTIER[name])
    with trial(client, steps.TABLES) as made:
        for stream_table, query in steps.QUERIES.items():
            made.create(stream_table, query)
        caught = 0
        for story in STORIES.values():
            try:
                play_interleaved(db, made, story)
            except Exception as error:
                assert isinstance(error, AssertionError) or "believes" in str(error), error
                caught += 1
            for stream_table in steps.QUERIES:
                made.client.refresh_stream_table(f"{made.schema}.{stream_table}", full=True)
        assert caught
