"""The model means by every operator what PostgreSQL means by it.

Lies it would catch: a model that is wrong in the same way as a rule, so that the laws hold of the wrong thing; an
operator whose text says something else than the operator.
Oracle: PostgreSQL, which runs the text of a random relation over the same rows.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from support.databases import Database

from model import draw as drawn
from model.test_laws import many, more, rewritten
from model.zset import State, evaluate
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.program.quote import ident
from trickle.ivm.program.select import Renderer

TABLES = """
CREATE SCHEMA s;
CREATE TABLE s.keyed (id int PRIMARY KEY, a int, b int);
CREATE TABLE s.keyless (a int, b int);
"""


AT_LENGTH = pytest.param(more, id="at length", marks=[pytest.mark.full, pytest.mark.timeout(3600)])


@pytest.mark.parametrize("how_many", [pytest.param(many, id="everyday"), AT_LENGTH])
def test_the_model_agrees_with_postgresql(empty_db: Database, how_many: settings) -> None:
    with psycopg.connect(empty_db.url, autocommit=True) as connection:
        connection.execute(TABLES)

        @how_many
        @given(data=st.data(), state=drawn.states)
        def compare(data: st.DataObject, state: State) -> None:
            rel = rewritten(data.draw(drawn.relations(Numbering())))
            _fill(connection, state)
            try:
                found = connection.execute(_text(rel).encode()).fetchall()
            except psycopg.errors.FeatureNotSupported:
                # A full join on conditions that PostgreSQL has no way to follow.
                reject()
            assert Counter(found) == evaluate(rel, state)

        compare()


def _fill(connection: psycopg.Connection[Any], state: State) -> None:
    connection.execute("TRUNCATE s.keyed, s.keyless")
    for table in drawn.TABLES:
        rows = list(state.after[table.oid].elements())
        places = ", ".join(["%s"] * len(table.columns))
        connection.cursor().executemany(f"INSERT INTO s.{table.name} VALUES ({places})", rows)


def _text(rel: Rel) -> str:
    renderer = Renderer()
    select = renderer.select(rel, [f"c{i}" for i in range(len(rel.columns))])
    ctes = ", ".join(f"{ident(cte.name)} AS ({cte.body})" for cte in renderer.ctes)
    return f"WITH {ctes}\n{select}" if ctes else select
