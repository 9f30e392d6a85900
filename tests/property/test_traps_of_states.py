"""Queries that look at all their rows together, over what a program keeps in tables of its own.

Lies it would catch: a state table that is left behind by one kind of change, first rows that are looked for among too
few, a threshold that moves without the rows it passes, and a state table that survives its program.
Oracle: PostgreSQL, for the stream table and for each state table; the catalog, for what is left.
"""

from __future__ import annotations

import psycopg
import pytest

from property.scenarios import follow, must, refreshed, scenario, states
from property.trial import Trial
from trickle.errors import TrickleError
from trickle.ivm.program.frame import LARGE_ROWS

TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, k int, v numeric(8,2), f float8, s text)",
    "CREATE TABLE u (k int PRIMARY KEY, w int, s text)",
    "INSERT INTO t SELECT i, i % 7, i * 1.25, i / 8.0, chr(97 + i % 3) FROM generate_series(1, 60) i",
    "INSERT INTO t VALUES (100, NULL, NULL, NULL, NULL), (101, NULL, 3, 1, 'a')",
    "INSERT INTO u VALUES (0, 1, 'x'), (1, 5, 'y'), (2, NULL, 'x'), (3, 5, NULL), (4, 9, 'y')",
)
STEPS = (
    "INSERT INTO t VALUES (102, 3, 500, 9, 'a'), (103, 8, 1, 0, 'b')",
    "UPDATE t SET k = 5 WHERE k = 3",
    "DELETE FROM t WHERE k = 5",
    ("UPDATE u SET w = 6 WHERE k = 0", "INSERT INTO u VALUES (5, 2, 'z'), (6, 2, 'z')"),
    ("UPDATE t SET v = v + 1 WHERE id % 2 = 0", "UPDATE u SET w = coalesce(w, 0) - 1"),
    "DELETE FROM u WHERE k IN (0, 1, 4)",
    ("DELETE FROM t", "INSERT INTO t VALUES (1, 1, 1, 1, 'a'), (2, 1, 1, 1, 'a')"),
    "INSERT INTO u VALUES (1, 7, 'x')",
    "TRUNCATE t",
    "INSERT INTO t SELECT i, i % 3, i, i, 'q' FROM generate_series(1, 9) i",
    ("TRUNCATE t", "INSERT INTO t SELECT i, i % 3, i, i, 'r' FROM generate_series(5, 20) i"),
    "DELETE FROM t",
)
GROUPS = "SELECT k, count(*) AS n, sum(v) AS v FROM t GROUP BY k"
JOINED = "SELECT t.k, u.s, sum(t.v) AS v FROM t JOIN u USING (k) GROUP BY t.k, u.s"
FIRST = (
    f"{GROUPS} ORDER BY n DESC, k LIMIT 2",
    f"{GROUPS} ORDER BY k NULLS FIRST LIMIT 1",
    f"{GROUPS} ORDER BY k DESC NULLS LAST LIMIT 3",
    f"{GROUPS} ORDER BY n DESC FETCH FIRST 2 ROWS WITH TIES",
    f"{GROUPS} ORDER BY n, k OFFSET 1 LIMIT 2",
    f"{GROUPS} ORDER BY n, k OFFSET 2",
    f"{GROUPS} ORDER BY count(*) % 2, v DESC, k LIMIT 2",
    f"{GROUPS} HAVING count(*) > 5 ORDER BY v DESC LIMIT 2",
    f"{JOINED} ORDER BY v DESC NULLS LAST, k, s LIMIT 2",
    "SELECT t.id, u.w FROM t JOIN u USING (k) ORDER BY u.w DESC NULLS LAST, t.id LIMIT 4",
    "SELECT t.id, u.w FROM t LEFT JOIN u USING (k) ORDER BY u.w, t.id LIMIT 4",
    "SELECT k, sum(f) AS f FROM t GROUP BY k ORDER BY f DESC NULLS LAST, k LIMIT 2",
    "SELECT k, max(v) AS v, min(s) AS s FROM t GROUP BY k ORDER BY v DESC NULLS LAST, k LIMIT 2",
    "SELECT k, avg(v) AS v FROM t GROUP BY k ORDER BY v DESC NULLS LAST, k LIMIT 2",
    "SELECT k, avg(id) AS v, string_agg(s, ',' ORDER BY id) AS s FROM t GROUP BY k ORDER BY v, k LIMIT 3",
    "SELECT DISTINCT s, k FROM t ORDER BY s, k LIMIT 3",
    f"SELECT q.*, rank() OVER (ORDER BY q.n) AS place FROM ({GROUPS}) q",
    f"SELECT u.s, q.n FROM u JOIN ({GROUPS} ORDER BY n DESC, k LIMIT 2) q USING (k)",
    f"SELECT count(*) AS n FROM ({GROUPS} ORDER BY n DESC, k LIMIT 2) q JOIN u USING (k)",
)
THRESHOLDS = (
    f"SELECT k, v FROM ({GROUPS}) q WHERE v > (SELECT avg(v) FROM t)",
    f"{GROUPS} HAVING sum(v) > (SELECT sum(v) * 0.2 FROM t)",
    f"{GROUPS} HAVING sum(v) > (SELECT sum(t.v) * 0.2 FROM t JOIN u USING (k))",
    f"WITH q AS ({GROUPS}) SELECT u.s, q.v FROM u JOIN q USING (k) WHERE q.v = (SELECT max(v) FROM q)",
    f"WITH q AS ({GROUPS}) SELECT k FROM q WHERE v < (SELECT avg(v) FROM q)",
    f"WITH q AS ({GROUPS}) SELECT k, n FROM q WHERE n = (SELECT min(n) FROM q)",
    f"WITH q AS ({GROUPS}) SELECT u.k, (SELECT max(v) FROM q) AS best FROM u WHERE w < (SELECT max(n) FROM q)",
    "WITH q AS (SELECT k, sum(f::numeric) AS v FROM t GROUP BY k) SELECT u.s, (SELECT max(v) FROM q) AS v FROM u"
    " WHERE u.w > (SELECT min(v) FROM q)",
    "WITH q AS (SELECT s, max(v) AS v FROM t GROUP BY s) SELECT u.k FROM u WHERE u.s < (SELECT max(s) FROM q)",
    "SELECT s, count(*) AS n, sum(v) AS v FROM t WHERE v > (SELECT avg(v) FROM t WHERE v > 0)"
    " AND NOT EXISTS (SELECT FROM u WHERE u.k = t.k) GROUP BY s",
    "SELECT id, v > (SELECT avg(v) FROM t) AS above FROM t JOIN u USING (k)",
    "SELECT t.id FROM t JOIN u USING (k) WHERE t.v > (SELECT count(*) FROM u) AND u.w < (SELECT max(w) FROM u)",
    "SELECT id FROM t WHERE f > (SELECT avg(f) FROM t)",
)


@pytest.mark.parametrize("query", FIRST)
def test_first_rows(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@pytest.mark.parametrize("query", THRESHOLDS)
def test_thresholds(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


def test_a_change_of_many_rows(made: Trial) -> None:
    table = scenario(made, TABLES, FIRST[0])
    must(made, f"INSERT INTO t SELECT i, i % 900, i, i, 'z' FROM generate_series(1000, {LARGE_ROWS + 2000}) i")
    made.refresh(table)
    must(made, "UPDATE t SET k = k % 40, v = v + 1 WHERE id >= 1000")
    made.refresh(table)
    follow(made, table, "DELETE FROM t WHERE id % 3 = 0")


@refreshed
def test_a_state_that_was_tampered_with_stops_the_refresh(made: Trial) -> None:
    table = scenario(made, TABLES, FIRST[0])
    (state,) = states(made, table)
    must(made, f"DELETE FROM {state} WHERE c1 = 2")
    must(made, "DELETE FROM t WHERE k = 2")
    with pytest.raises(TrickleError, match="does not hold what its program believes"):
        made.client.refresh_stream_table(f"{made.schema}.st")
    made.client.refresh_stream_table(f"{made.schema}.st", full=True)
    made.compare(table)


def test_states_go_with_their_program(made: Trial) -> None:
    table = scenario(made, TABLES, FIRST[0])
    (old,) = states(made, table)
    made.client.alter_stream_table(f"{made.schema}.st", query=f"{JOINED} ORDER BY v DESC NULLS LAST, k, s LIMIT 2")
    table.query = f"{JOINED} ORDER BY v DESC NULLS LAST, k, s LIMIT 2"
    (new,) = states(made, table)
    columns = made.connection.execute(f"SELECT * FROM {new} LIMIT 0".encode()).description or ()
    assert [column.name for column in columns][:3] == ["c1", "c2", "c3"], old
    follow(made, table, *STEPS[:4])
    made.client.alter_stream_table(f"{made.schema}.st", query="SELECT k, id FROM t")
    assert states(made, table) == []
    with pytest.raises(psycopg.errors.UndefinedTable):
        made.connection.execute(f"SELECT FROM {new}".encode())


def test_a_with_query_is_kept_once(made: Trial) -> None:
    """Its readings are alike; one that asks for other rows is not."""
    assert len(states(made, scenario(made, TABLES, THRESHOLDS[3], *STEPS[:3]))) == 1


def test_readings_that_differ_are_kept_each(made: Trial) -> None:
    groups = "SELECT k, sum(v) AS v FROM t WHERE id > {} GROUP BY k"
    query = f"SELECT k FROM ({groups.format(1)}) q WHERE v >= (SELECT max(v) FROM ({groups.format(2)}) r)"
    assert len(states(made, scenario(made, TABLES, query, *STEPS[:3]))) == 2


def test_long_texts_are_put_in_order_without_an_index(made: Trial) -> None:
    """No index holds a text of ten thousand bytes."""
    table = scenario(made, TABLES, "SELECT t.s, u.w FROM t JOIN u USING (k) ORDER BY t.s, u.w LIMIT 3", *STEPS[:2])
    text = "SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i"
    follow(made, table, f"INSERT INTO t SELECT 500, 1, 1, 1, 'A' || ({text})", f"UPDATE t SET s = ({text}) WHERE k = 2")


def test_one_table_is_not_copied(made: Trial) -> None:
    assert states(made, scenario(made, TABLES, "SELECT id, v FROM t ORDER BY v DESC NULLS LAST, id LIMIT 3")) == []
