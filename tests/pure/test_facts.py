"""Facts survive JSON, so that a bug report is a test.

Lies it would catch: a fact that is forgotten or changes its type on the way.
Oracle: equality of the frozen values.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trickle.ivm import ColumnFacts, Facts, FunctionFacts, RelationFacts

numbers = st.integers(1, 2**31)
columns = st.builds(ColumnFacts)
relations = st.builds(
    RelationFacts,
    columns=st.lists(columns, max_size=2).map(tuple),
    keys=st.lists(st.lists(numbers, max_size=2).map(tuple), max_size=2).map(tuple),
    captured=st.lists(numbers, max_size=2).map(tuple),
    rows=st.floats(allow_nan=False),
)
facts = st.builds(
    Facts,
    output=st.lists(columns, max_size=2).map(tuple),
    relations=st.lists(relations, max_size=2).map(tuple),
    functions=st.lists(st.builds(FunctionFacts), max_size=2).map(tuple),
    settings=st.dictionaries(st.text(), st.text(), max_size=2),
    types=st.dictionaries(st.text(), st.text(), max_size=2),
)


@given(facts)
def test_json_and_back(known: Facts) -> None:
    assert Facts.from_json(known.to_json()) == known
    assert Facts.from_json(known.to_json()).to_json() == known.to_json()


def test_the_empty_facts_are_enough_to_ask_for_more() -> None:
    known = Facts(query="SELECT 1").with_types({"SELECT 1": "integer"})
    assert Facts.from_json(known.to_json()).types == {"SELECT 1": "integer"}
