"""The laws of the algebra over random relations and random bags, with changes of every sign.

Lies it would catch: a delta rule with a wrong term or sign; a rewriting that changes the meaning of a query; a
restriction that loses the group of NULL; a row key that identifies two rows.
Oracle: the model, which evaluates the query before and after and subtracts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from model import draw as drawn
from model.zset import State, difference, evaluate, zset
from trickle.ivm.algebra.keeping import Kept
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.passes import (
    fuse_blocks,
    hoist_factors,
    nest_arms,
    plain_tests,
    prune_columns,
    push_filters,
)
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.passes.keep_states import keep_states
from trickle.ivm.algebra.properties import not_null_columns, row_key
from trickle.ivm.algebra.relations import Aggregate, Block, Given, Item, Rel, copy_of
from trickle.ivm.algebra.scalars import expression
from trickle.ivm.algebra.walk import over, walk
from trickle.ivm.delta import Measure, derive, derive_measured
from trickle.ivm.delta.restrict import Restriction, restrict
from trickle.ivm.facts import ColumnFacts, Facts
from trickle.ivm.program.distinct_values import distinct_values_kept
from trickle.ivm.program.keep import with_first_rows
from trickle.ivm.program.sums import KeepSums, sums_kept

EXAMPLES = 100
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
more = settings(many, max_examples=5000)


@many
@given(data=st.data(), state=drawn.states)
def test_every_pass_keeps_the_meaning(data: st.DataObject, state: State) -> None:
    rel = data.draw(drawn.relations(Numbering()))
    expected = evaluate(rel, state)
    fused = fuse_blocks(rel)
    assert evaluate(fused, state) == expected
    for rewrite in (prune_columns, hoist_factors, push_filters, plain_tests):
        assert evaluate(rewrite(fused), state) == expected


@many
@given(data=st.data(), state=drawn.states)
def test_arms_of_small_tables_keep_the_meaning_and_change_alike(data: st.DataObject, state: State) -> None:
    numbering = Numbering()
    rel = rewritten(data.draw(drawn.stars(numbering)))
    nested = nest_arms(rel)
    assert evaluate(nested, state) == evaluate(rel, state)
    follows(nested, state, numbering)


@many
@given(data=st.data(), state=drawn.states)
def test_sums_over_kept_ones_are_the_sums(data: st.DataObject, state: State) -> None:
    numbering = Numbering()
    differs_only_in_what_is_kept(data.draw(drawn.sums(numbering)), sums_kept, state, numbering)


@many
@given(data=st.data(), state=drawn.states)
def test_counts_of_kept_values_are_the_counts(data: st.DataObject, state: State) -> None:
    numbering = Numbering()
    differs_only_in_what_is_kept(data.draw(drawn.distinct_counts(numbering)), distinct_values_kept, state, numbering)


Keeps = Callable[[Block, KeepSums, Numbering, Facts], Block | None]


def differs_only_in_what_is_kept(rel: Rel, keeps: Keeps, state: State, numbering: Numbering) -> None:
    """What is made of a query, over a state table, means the same and changes in the same way."""
    block = rewritten(rel)

    def keep(part: Aggregate, scales: Mapping[int, int]) -> Rel:
        assert scales.keys() <= {column.number for column in part.columns}
        return kept_as(1, part)

    made = keeps(block, keep, numbering, ALL_INTEGERS)
    if made is None:
        reject()
    assert evaluate(made, state) == evaluate(block, state)
    follows(made, state, numbering)
    (part,) = {found.rel for found in walk(made) if isinstance(found, Kept)}
    follows(part, state, numbering)


class _OneType(dict[str, str]):
    """Every expression is an integer."""

    def __contains__(self, question: object) -> bool:
        return True

    def __getitem__(self, question: str) -> str:
        return "integer"


ALL_INTEGERS = Facts("", types=_OneType())


@many
@given(data=st.data(), state=drawn.states)
def test_pruning_returns_the_columns_asked_for(data: st.DataObject, state: State) -> None:
    fused = as_block(fuse_blocks(data.draw(drawn.relations(Numbering()))))
    wanted = data.draw(st.sets(st.sampled_from([c.number for c in fused.columns]), min_size=1))
    pruned = prune_columns(fused, frozenset(wanted))
    kept = tuple(copy_of(c) for c in fused.columns if c.number in wanted)
    assert evaluate(pruned, state) == evaluate(Block((fused,), (), kept), state)


def differentiate(data: st.DataObject, state: State) -> None:
    """The law everything rests on."""
    numbering = Numbering()
    follows(rewritten(data.draw(drawn.relations(numbering))), state, numbering)


def follows(rel: Rel, state: State, numbering: Numbering) -> None:
    """The derivative is after minus before."""
    delta = derive(rel, numbering)
    assert delta is not None
    expected = difference(evaluate(rel, state), evaluate(rel, state.earlier()))
    assert zset(delta.rel, delta.weight, state) == expected


def kept_as(number: int, part: Rel) -> Kept:
    """A relation in a state table of integers."""
    facts = tuple(ColumnFacts(i, f"c{i}", *drawn.INTEGER) for i in range(len(part.columns)))
    return Kept(number, part, facts, tuple(column.label for column in part.columns))


def rewritten(rel: Rel) -> Block:
    """As the compiler hands a query to the rules."""
    return as_block(prune_columns(as_block(plain_tests(push_filters(hoist_factors(fuse_blocks(rel)))))))


def differentiate_beside_states(data: st.DataObject, state: State) -> None:
    """The same law where parts are kept: those the compiler would keep, and any others."""
    numbering, numbers = Numbering(), count()
    rel = rewritten(data.draw(drawn.relations(numbering)))

    def keep(part: Rel) -> Rel:
        return kept_as(next(numbers), part)

    def keep_some(part: Rel) -> Rel:
        below = over(part, keep_some)
        return keep(below) if data.draw(st.integers(0, 3)) == 0 else below

    chosen = keep_states(rel, keep, lambda _: data.draw(st.booleans()))
    for kept in (with_first_rows(as_block(chosen)), keep_some(rel)):
        assert evaluate(kept, state) == evaluate(rel, state)
        follows(kept, state, numbering)


@many
@given(data=st.data(), state=drawn.states)
def test_the_derivative_is_after_minus_before_beside_state_tables(data: st.DataObject, state: State) -> None:
    differentiate_beside_states(data, state)


@many
@given(data=st.data(), state=drawn.states)
def test_the_derivative_is_after_minus_before(data: st.DataObject, state: State) -> None:
    differentiate(data, state)


@many
@given(data=st.data(), state=drawn.states)
def test_restricting_by_keys_gives_the_rows_of_these_keys(data: st.DataObject, state: State) -> None:
    numbering = Numbering()
    aggregate = data.draw(drawn.aggregates(numbering))
    child = fuse_blocks(aggregate.child)
    certain = not_null_columns(child)
    columns = tuple(numbering.like(k.column) for k in aggregate.keys)
    keys = [
        Restriction(k.value, c, k.value.column not in certain) for k, c in zip(aggregate.keys, columns, strict=True)
    ]
    known = sorted({t[: len(keys)] for t in evaluate(aggregate, state)}, key=repr)
    chosen = set(data.draw(st.lists(st.sampled_from(known), unique=True))) if known else set()
    chosen = chosen if keys else {()}
    world = State(state.before, state.after, {"touched": Counter(chosen)})
    found = evaluate(restrict(child, keys, Given("touched", columns), numbering), world)
    items = (*(copy_of(c) for c in child.columns), *aggregate.keys)
    width = len(child.columns)
    expected: Counter[tuple[object, ...]] = Counter()
    for t, n in evaluate(Block((child,), (), items), state).items():
        if t[width:] in chosen:
            expected[t[:width]] += n
    assert found == expected


@many
@given(data=st.data(), state=drawn.states)
def test_measures_add_up_to_the_change_of_their_sums(data: st.DataObject, state: State) -> None:
    numbering = Numbering()
    block = as_block(fuse_blocks(data.draw(drawn.joins(numbering))))
    fact = data.draw(st.integers(0, len(block.inputs) - 1))
    value = expression("coalesce(a, 0)", a=data.draw(drawn.scalars(block.inputs[fact].columns)))
    measured = derive_measured(block, fact, [Measure(numbering.column("m"), value, "bigint")], numbering)
    assert measured is not None
    # The rows and the sum of each row of keys, before and after.
    rows = Item(numbering.column("n"), expression("1"))
    every = Block(block.inputs, block.predicates, (*block.items, rows, Item(numbering.column("v"), value)))
    expected = _sums(difference(evaluate(every, state), evaluate(every, state.earlier())))
    found: Counter[tuple[object, ...]] = Counter()
    sums: Counter[tuple[object, ...]] = Counter()
    for row, n in evaluate(measured.rel, state).items():
        found[row[:-2]] += row[-2] * n
        sums[row[:-2]] += row[-1] * n
    assert {key: (found[key], sums[key]) for key in found if found[key] or sums[key]} == expected


def _sums(signed: Counter[tuple[object, ...]]) -> dict[tuple[object, ...], tuple[int, int]]:
    """Rows and sums by key, of signed rows that end in 1 and a value."""
    found: Counter[tuple[object, ...]] = Counter()
    sums: Counter[tuple[object, ...]] = Counter()
    for row, n in signed.items():
        found[row[:-2]] += n
        sums[row[:-2]] += int(str(row[-1])) * n
    return {key: (found[key], sums[key]) for key in found if found[key] or sums[key]}


@many
@given(data=st.data(), state=drawn.states)
def test_proved_properties_hold(data: st.DataObject, state: State) -> None:
    """Columns said to be NOT NULL are, and the row key of a block occurs once."""
    block = as_block(fuse_blocks(data.draw(drawn.relations(Numbering()))))
    places = [i for i, c in enumerate(block.columns) if c.number in not_null_columns(block)]
    assert not [t for t in evaluate(block, state) if any(t[i] is None for i in places)]
    key = row_key(block)
    if key is not None:
        inputs = [c for i in block.inputs for c in i.columns]
        items = tuple(copy_of(c) for c in inputs if c.number in key)
        assert max(evaluate(Block(block.inputs, block.predicates, items), state).values(), default=1) == 1


@pytest.mark.full
@pytest.mark.timeout(3600)
@more
@given(data=st.data(), state=drawn.states)
def test_the_derivative_is_after_minus_before_at_length(data: st.DataObject, state: State) -> None:
    differentiate(data, state)


@pytest.mark.full
@pytest.mark.timeout(3600)
@more
@given(data=st.data(), state=drawn.states)
def test_the_derivative_is_after_minus_before_beside_state_tables_at_length(data: st.DataObject, state: State) -> None:
    differentiate_beside_states(data, state)
