"""Large changes are refreshed by a function of their own, with the same statement and another plan.

Lies it would catch: a large change that is read twice or not at all; one that the function for large changes never
sees; a large and a small change that end in different contents.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import must, refreshed, scenario
from property.trial import Trial, Wrong
from trickle.ivm.program.frame import LARGE_ROWS

ROWS = LARGE_ROWS + 500
TABLES = (
    "CREATE TABLE many (id int PRIMARY KEY, g int, v numeric(8,2))",
    "CREATE TABLE few (g int PRIMARY KEY, name text)",
    "CREATE TABLE loose (g int, v int)",
    "INSERT INTO few SELECT n, 'name ' || n FROM generate_series(0, 40) n",
    f"INSERT INTO many SELECT n, nullif(n % 50, 0), n FROM generate_series(1, {ROWS}) n",
    f"INSERT INTO loose SELECT n % 60, n % 7 FROM generate_series(1, {ROWS}) n",
)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, g, v FROM many",
        "SELECT id, v FROM many WHERE v > 100",
        "SELECT g, count(*), sum(v), avg(v) FROM many GROUP BY g",
        "SELECT g, min(v), max(v) FROM many GROUP BY g",
        "SELECT g, count(*) FROM many GROUP BY g HAVING count(*) > 40",
        "SELECT m.id, m.v, f.name FROM many m JOIN few f ON f.g = m.g",
        "SELECT f.name, count(*), sum(m.v) FROM many m JOIN few f ON f.g = m.g GROUP BY f.name",
        "SELECT g, v FROM loose",
        "SELECT DISTINCT g, v FROM loose",
        "SELECT l.v, m.v AS other FROM loose l JOIN many m ON m.id = l.g",
    ],
)
def test_large_changes(made: Trial, query: str) -> None:
    scenario(
        made,
        TABLES,
        query,
        "UPDATE many SET v = v + 1, g = nullif((id + 1) % 50, 0)",
        ("UPDATE many SET v = v - 1 WHERE id = 7", "UPDATE few SET name = name || '!' WHERE g = 7"),
        ("DELETE FROM many WHERE id % 10 <> 0", "UPDATE few SET name = 'same' WHERE g % 2 = 0"),
        f"INSERT INTO many SELECT n, n % 3, 1 FROM generate_series(1, {ROWS}) n ON CONFLICT DO NOTHING",
        ("UPDATE loose SET v = v + 1", "DELETE FROM loose WHERE g < 30"),
        f"INSERT INTO loose SELECT 1, 1 FROM generate_series(1, {ROWS}) n",
        ("DELETE FROM many", "DELETE FROM loose"),
    )


@refreshed
def test_a_source_that_is_not_alone_after_all(made: Trial) -> None:
    """The statement for one source alone looks for itself whether another one has changed, and then does nothing."""
    must(made, "CREATE TABLE fact (id int PRIMARY KEY, k int, v int)")
    must(made, "CREATE TABLE dim (k int PRIMARY KEY, name text)")
    must(made, "INSERT INTO dim SELECT k, 'n' || k FROM generate_series(1, 3) k")
    must(made, "INSERT INTO fact SELECT i, 1 + i % 3, i FROM generate_series(1, 100) i")
    table = made.create("st", "SELECT d.name, sum(f.v) AS v FROM fact f JOIN dim d ON d.k = f.k GROUP BY d.name")
    must(made, "UPDATE fact SET v = v + 1 WHERE id < 10")
    must(made, "UPDATE dim SET name = 'other' WHERE k = 2")
    frontier = f"SELECT * FROM pgtrickle.pgt_frontiers WHERE pgt_id = {table.pgt_id}"
    with made.connection.transaction(force_rollback=True):
        made.connection.execute("SELECT set_config('pg_trickle.refreshing', %s, true)", (str(table.pgt_id),))
        before = made.connection.execute(frontier).fetchone()
        written = made.connection.execute(
            f"SELECT pgtrickle_programs.refresh_{table.pgt_id}_large(f.snapshot, pg_snapshot_xmax(f.snapshot),"
            " ARRAY(SELECT pg_snapshot_xip(f.snapshot)), f.own_xid, f.own_seq, false, true)"
            f" FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = {table.pgt_id}"
        ).fetchone()
        assert written == (0,)
        assert made.connection.execute(frontier).fetchone() == before
    assert made.refresh(table) == "DIFFERENTIAL"


@refreshed
def test_only_a_large_change_needs_the_function_for_large_changes(made: Trial) -> None:
    table = scenario(made, TABLES, "SELECT id, v FROM many", "UPDATE many SET v = 0 WHERE id = 1")
    must(made, f"DROP FUNCTION pgtrickle_programs.refresh_{table.pgt_id}_large")
    must(made, f"UPDATE many SET v = 1 WHERE id <= {LARGE_ROWS // 2}")
    assert made.refresh(table) == "DIFFERENTIAL"
    must(made, f"UPDATE many SET v = 2 WHERE id <= {LARGE_ROWS // 2 + 1}")
    with pytest.raises(Wrong, match="_large"):
        made.refresh(table)


@refreshed
def test_a_plan_for_few_groups_computes_none_of_many_twice(made: Trial) -> None:
    """The session keeps the plan of its first change; an aggregate that tells how often it was called shows its use."""
    setup = (
        "CREATE SEQUENCE calls",
        "CREATE FUNCTION told(so_far bigint, v int) RETURNS bigint LANGUAGE plpgsql AS"
        f" $$ BEGIN PERFORM nextval('{made.schema}.calls'); RETURN so_far + v; END $$",
        "ALTER FUNCTION told IMMUTABLE",
        "CREATE AGGREGATE summed(int) (sfunc = told, stype = bigint, initcond = '0')",
        "CREATE TABLE t (id int PRIMARY KEY, g int NOT NULL, v int NOT NULL)",
        "INSERT INTO t SELECT i, i % 500, i FROM generate_series(1, 5000) i",
        "CREATE INDEX ON t (g)",
        "ANALYZE t",
    )
    table = scenario(made, setup, "SELECT g, summed(v) AS s FROM t GROUP BY g")

    def called(statement: str) -> int:
        must(made, statement)
        must(made, "SELECT setval('calls', 1)")
        made.client.refresh_stream_table(f"{made.schema}.{table.sql}")
        row = made.connection.execute(f"SELECT last_value FROM {made.schema}.calls".encode()).fetchone()
        return int(row[0]) if row else 0

    assert called("UPDATE t SET v = v + 1 WHERE id = 7") < 50
    must(made, "ANALYZE")
    assert called("UPDATE t SET v = v + 1 WHERE id = 8") < 50
    assert called("UPDATE t SET v = v + 1 WHERE id <= 400") < 10_000
    made.refresh(table)
