"""Aggregates, HAVING, DISTINCT and UNION.

Lies it would catch: 0 for NULL; an average of averages; a sum that has drifted, or stays infinite for ever;
a group that is dead, or shown with its change in place of its value; a copy that was the last.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import GROUPS, KEYED, KEYED_ROWS, KEYLESS, KEYLESS_ROWS, KEYLESS_STEPS, must, scenario
from property.trial import Trial

# Aggregates ----------------------------------------------------------------------------------------------------


def test_a_sum_of_no_values_is_null_and_of_one_is_not(made: Trial) -> None:
    steps = (
        "UPDATE t SET v = NULL, n = NULL",
        "UPDATE t SET v = 0 WHERE id = 1",
        "INSERT INTO t VALUES (9, 'c', NULL)",
        "UPDATE t SET v = 3",
    )
    scenario(made, (KEYED, KEYED_ROWS), "SELECT g, sum(v), sum(n) AS n, avg(v) FROM t GROUP BY g", *steps)


def test_counts_of_values_rows_and_filtered_rows_differ(made: Trial) -> None:
    query = (
        "SELECT g, count(*) AS a, count(v) AS b, count(DISTINCT v) AS c, count(*) FILTER (WHERE v > 1) AS d,"
        " sum(v) FILTER (WHERE f < 1) AS e, sum(CASE WHEN v > 1 THEN 1 ELSE 0 END) AS h,"
        " sum(DISTINCT v) AS i, min(v) FILTER (WHERE v > 1) AS j FROM t GROUP BY g"
    )
    steps = (
        "UPDATE t SET v = 2",
        "UPDATE t SET v = NULL WHERE id = 1",
        "UPDATE t SET v = 1, f = 2",
        "INSERT INTO t VALUES (9, 'a', 2, 0, 0)",
        "DELETE FROM t WHERE v = 1 AND id > 1",
    )
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)


def test_an_average_is_the_quotient_of_its_parts(made: Trial) -> None:
    setup = (
        "CREATE TABLE t (g int, n numeric(12,4), i int)",
        "INSERT INTO t VALUES (1, 1, 1), (1, 1, 1), (1, 2, 2), (2, 0.3333, 7)",
    )
    steps = (
        "INSERT INTO t VALUES (1, 0.0001, 10)",
        "DELETE FROM t WHERE n = 1",
        "INSERT INTO t SELECT 2, n / 3, i FROM t",
        "DELETE FROM t WHERE g = 1",
    )
    scenario(made, setup, "SELECT g, avg(n) AS n, avg(i) AS i, sum(n)::text AS written FROM t GROUP BY g", *steps)


def test_a_group_of_all_rows_that_nobody_reads_is_one_row(made: Trial) -> None:
    query = "SELECT b.id FROM (SELECT count(*) AS n FROM a) x CROSS JOIN b"
    tables = ("CREATE TABLE a (id int)", "CREATE TABLE b (id int)", "INSERT INTO b VALUES (1)")
    scenario(made, tables, query, "INSERT INTO a VALUES (1), (2)", "INSERT INTO b VALUES (2)", "DELETE FROM a")


@pytest.mark.parametrize("value", ["avg(n)", "sum(n) / 3", "round(avg(n), 20)"])
def test_a_value_of_many_digits_leaves_no_digits_behind(made: Trial, value: str) -> None:
    setup = ("CREATE TABLE t (id int, n numeric)", "INSERT INTO t VALUES (1, 1.5), (2, 2.25)")
    steps = (
        "INSERT INTO t VALUES (3, 1.0000000000000000000000000000001)",
        "UPDATE t SET n = 1 WHERE id = 3",
        "DELETE FROM t WHERE id = 1",
    )
    scenario(made, setup, f"SELECT {value} AS x FROM t", *steps)


def test_floats_neither_drift_nor_stay_infinite(made: Trial) -> None:
    setup = (
        "CREATE TABLE t (id int, f float8, r real)",
        "INSERT INTO t VALUES (1, 0.1, 0.1), (2, 0.2, 0.2), (3, 1e100, 1e30)",
    )
    steps = (
        "DELETE FROM t WHERE id = 3",
        "INSERT INTO t VALUES (4, 'NaN', 'NaN'), (5, 'Infinity', '-Infinity')",
        "DELETE FROM t WHERE id = 4",
        "DELETE FROM t WHERE id = 5",
        "UPDATE t SET f = '-0', r = '-0'",
        "DELETE FROM t",
    )
    # In one order on both sides: the sum of floats depends on it.
    query = "SELECT sum(f ORDER BY f) AS s, sum(r ORDER BY r) AS r, min(f) AS lo, max(f) AS hi, count(f) FROM t"
    scenario(made, setup, query, *steps)


def test_numeric_sums_recover_from_nan_and_infinity(made: Trial) -> None:
    steps = (
        "UPDATE t SET n = 'Infinity' WHERE id = 1",
        "UPDATE t SET n = '-Infinity' WHERE id = 2",
        "UPDATE t SET n = 'NaN' WHERE id = 2",
        "UPDATE t SET n = 2 WHERE id = 2",
        "UPDATE t SET n = 1",
    )
    scenario(made, (KEYED, KEYED_ROWS), "SELECT g, sum(n), avg(n) FROM t GROUP BY g", *steps)
    total = made.create("total", "SELECT sum(n) FROM t")
    for step in steps:
        must(made, step)
        made.refresh(total)


def test_sums_outgrow_the_type_of_what_is_summed(made: Trial) -> None:
    setup = (
        "CREATE TABLE t (i int, b bigint, s smallint)",
        "INSERT INTO t VALUES (2147483647, 9223372036854775807, 32767)",
    )
    steps = (
        "INSERT INTO t SELECT * FROM t",
        "INSERT INTO t SELECT * FROM t",
        "DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)",
    )
    scenario(made, setup, "SELECT sum(i) AS i, sum(b) AS b, sum(s) AS s, avg(b) AS a FROM t", *steps)


def test_a_group_dies_revives_and_is_replaced(made: Trial) -> None:
    steps = (
        "DELETE FROM t WHERE g = 'a'",
        "INSERT INTO t VALUES (1, 'a', 1)",
        ("DELETE FROM t WHERE g = 'a'", "INSERT INTO t VALUES (1, 'a', 7)"),
        ("DELETE FROM t WHERE g = 'a'", "INSERT INTO t VALUES (2, 'a', 7)", "DELETE FROM t WHERE g = 'a'"),
        ("DELETE FROM t", KEYED_ROWS),
    )
    scenario(made, (KEYED, KEYED_ROWS), GROUPS, *steps)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*), sum(v), min(v), avg(n), bool_or(v > 1) FROM t",
        "SELECT count(*) FROM t WHERE v > 100",
        "SELECT max(v), count(*) FROM t HAVING count(*) > 2",
        "SELECT count(*) FROM t WHERE v > 1 HAVING count(*) > 0",
        "SELECT 1 AS one FROM t HAVING sum(v) IS NOT NULL",
    ],
)
def test_an_aggregate_without_groups_has_one_row(made: Trial, query: str) -> None:
    steps = (
        "INSERT INTO t VALUES (9, 'q', 0)",
        "DELETE FROM t WHERE v IS NULL",
        "UPDATE t SET v = 0",
        "DELETE FROM t",
        "UPDATE t SET v = 1",
        KEYED_ROWS,
        ("DELETE FROM t", KEYED_ROWS),
        "UPDATE t SET g = 'other' WHERE v = 0",
    )
    scenario(made, (KEYED,), query, *steps)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT g, count(*) FROM t GROUP BY g",
        "SELECT g, v, count(*) FROM t GROUP BY g, v",
        "SELECT upper(g) AS u, count(*) FROM t GROUP BY 1",
        "SELECT CASE WHEN v > 1 THEN g END AS c, sum(v) FROM t GROUP BY 1",
        "SELECT count(*) FROM t GROUP BY v % 2",
        "SELECT v / 2 + 1 AS x, max(v) FROM t GROUP BY v / 2",
        "SELECT id, g, count(*) FROM t GROUP BY id",
        "SELECT f, n, count(*) FROM t GROUP BY n, f",
        "SELECT 'x' AS x, count(*) FROM t GROUP BY 1",
        "SELECT g IS NULL AS unknown, min(id) FROM t GROUP BY g IS NULL",
        'SELECT g COLLATE "C" AS g, count(*) FROM t GROUP BY 1',
    ],
)
def test_group_keys_of_every_kind(made: Trial, query: str) -> None:
    steps = (
        "UPDATE t SET g = NULL WHERE g = 'a'",
        "UPDATE t SET g = 'b', v = NULL WHERE g IS NULL",
        "UPDATE t SET v = id, n = 1.0, f = 0 WHERE id < 3",
        "UPDATE t SET n = 1.00, f = '-0' WHERE id = 2",
        "INSERT INTO t VALUES (9, 'b', NULL), (10, NULL, 1)",
        "UPDATE t SET n = 1.000, f = 0 WHERE id = 10",
        "DELETE FROM t WHERE id IN (2, 9)",
        "DELETE FROM t",
    )
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)


def test_groups_whose_keys_are_equal_but_written_differently(made: Trial) -> None:
    collation = "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    if not made.can(collation):
        pytest.skip("this server has no ICU")
    setup = (
        "CREATE TABLE t (id int, s text COLLATE blind)",
        "INSERT INTO t VALUES (1, 'Ab'), (2, 'aB'), (3, 'c')",
    )
    steps = (
        "INSERT INTO t VALUES (4, 'AB')",
        "DELETE FROM t WHERE id = 1",
        "UPDATE t SET s = 'C' WHERE id = 2",
        "DELETE FROM t WHERE s = 'ab'",
    )
    scenario(made, setup, "SELECT count(*), min(id) FROM t GROUP BY s", *steps)


@pytest.mark.parametrize(
    ("type", "values"),
    [
        ("int", ("1", "5", "9")),
        ("text", ("'a'", "'B'", "'ä'")),
        ("timestamptz", ("'epoch'", "'2024-03-31 01:30+00'", "'infinity'")),
        ("numeric", ("1.0", "1.00", "'NaN'")),
        ("int[]", ("'{}'", "'{1}'", "'{1,2}'")),
        ("interval", ("'1 day'", "'25 hours'", "'1 month'")),
    ],
)
def test_the_extreme_leaves_returns_and_has_a_twin(made: Trial, type: str, values: tuple[str, str, str]) -> None:
    low, middle, high = values
    setup = (
        f"CREATE TABLE t (id int, x {type})",
        f"INSERT INTO t VALUES (1, {low}), (2, {low}), (3, {middle}), (4, {high})",
    )
    steps = (
        "DELETE FROM t WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
        f"UPDATE t SET x = {middle} WHERE id = 4",
        ("DELETE FROM t WHERE id = 3", f"INSERT INTO t VALUES (3, {middle})"),
        f"INSERT INTO t VALUES (5, {high}), (6, {low})",
        ("DELETE FROM t WHERE id = 6", f"INSERT INTO t VALUES (7, {low})"),
        "UPDATE t SET x = NULL",
        "DELETE FROM t",
    )
    scenario(made, setup, "SELECT min(x) AS lo, max(x) AS hi, id % 2 AS g FROM t GROUP BY 3", *steps)


def test_aggregates_inside_expressions(made: Trial) -> None:
    query = (
        "SELECT g, 100 * sum(v) / nullif(sum(n), 0) AS percent, CASE WHEN count(*) > 1 THEN min(v) END AS c,"
        " coalesce(sum(v), 0) + 1 AS s, max(v) - min(v) AS span FROM t GROUP BY g"
    )
    steps = (
        "UPDATE t SET n = 0 WHERE g = 'a'",
        "INSERT INTO t VALUES (9, 'b', -4, 2)",
        "DELETE FROM t WHERE id IN (1, 9)",
        "UPDATE t SET g = 'b'",
    )
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT g, sum(v) FROM t GROUP BY g HAVING sum(v) > 3",
        "SELECT g, sum(v) FROM t GROUP BY g HAVING count(*) > 1",
        "SELECT g FROM t GROUP BY g HAVING max(v) < 4",
        "SELECT n FROM t GROUP BY n HAVING count(*) >= 1",
        "SELECT f FROM t GROUP BY f HAVING count(*) >= 1",
        "SELECT sum(v) FROM t GROUP BY g HAVING g IS NOT NULL",
        "SELECT count(*) FROM t GROUP BY g, v HAVING bool_and(v > 1)",
    ],
)
def test_groups_cross_having_both_ways(made: Trial, query: str) -> None:
    steps = (
        "INSERT INTO t VALUES (9, 'a', 5, 1.5, 0.5)",
        "DELETE FROM t WHERE id = 9",
        ("INSERT INTO t VALUES (9, 'b', 5)", "DELETE FROM t WHERE id = 9"),
        "UPDATE t SET v = v + 3",
        "UPDATE t SET v = 0, g = NULL WHERE id < 3",
        "DELETE FROM t WHERE g IS NULL",
    )
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT g, count(*) FROM t GROUP BY g HAVING (SELECT count(*) FROM (VALUES (0), (1)) x(n) WHERE x.n > 5) = 0",
        "SELECT g, sum(1), (SELECT sum(1) FROM (VALUES (1), (3)) x(n) WHERE x.n > length(g)) AS d FROM t GROUP BY g",
        "SELECT g, count(*), count(*) IN (SELECT n FROM (VALUES (1), (3)) x(n)) AS d FROM t GROUP BY g",
        "SELECT g FROM t GROUP BY g HAVING count(*) = ANY (SELECT count(*) FROM (VALUES (1), (3)) x(n) UNION SELECT 1)",
        "SELECT g, f, count(*), (SELECT count(*) FROM (VALUES (1), (3)) x(n)) AS d FROM t GROUP BY ROLLUP (g, f)",
        "SELECT id, rank() OVER (ORDER BY v), (SELECT sum(r) FROM (SELECT rank() OVER (ORDER BY t.v) AS r"
        " FROM (VALUES (1), (2)) x(n)) s) AS d FROM t",
        "SELECT id, generate_series(1, v), (SELECT count(*) FROM (SELECT generate_series(1, t.v)) s) AS d FROM t",
        "SELECT id, (SELECT count(*) + (SELECT count(*) FROM (VALUES (1), (3)) x(n)) FROM t u WHERE u.v = t.v) FROM t",
    ],
)
def test_a_call_in_a_subquery_is_its_own_though_it_reads_like_one_outside(made: Trial, query: str) -> None:
    steps = (
        "INSERT INTO t VALUES (9, 'b', 2, 1, 1), (10, 'new', 1, 1, 1)",
        "UPDATE t SET g = 'b' WHERE id < 4",
        "UPDATE t SET v = v + 1",
        "DELETE FROM t WHERE id IN (1, 9)",
    )
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)


# DISTINCT and UNION --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["SELECT DISTINCT a, b FROM k", "SELECT a, b FROM k UNION SELECT a, b FROM k WHERE a = 1"]
)
def test_a_duplicate_goes_and_a_copy_remains(made: Trial, query: str) -> None:
    steps = (
        *KEYLESS_STEPS,
        "UPDATE k SET a = NULL, b = NULL",
        "DELETE FROM k WHERE ctid <> (SELECT min(ctid) FROM k)",
        "DELETE FROM k",
    )
    scenario(made, (KEYLESS, KEYLESS_ROWS), query, *steps)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, v FROM t UNION ALL SELECT id, v FROM t",
        "SELECT id, v FROM t UNION ALL SELECT v, id FROM t WHERE v > 1 UNION ALL SELECT 1, 2 FROM t",
        "SELECT v FROM t UNION ALL SELECT n FROM t",
        "SELECT v FROM t UNION SELECT n FROM t UNION ALL SELECT f FROM t",
        "SELECT x FROM (SELECT v AS x FROM t UNION ALL SELECT id FROM t) u WHERE x > 1",
        "SELECT u.x, t.g FROM (SELECT v AS x FROM t UNION ALL SELECT id FROM t) u JOIN t ON t.id = u.x",
        "SELECT x, count(*) FROM (SELECT v AS x FROM t UNION ALL SELECT id FROM t) u GROUP BY x",
        "SELECT g FROM t UNION ALL SELECT NULL FROM t",
        "SELECT g FROM t UNION ALL SELECT 'x' FROM t WHERE v = 1",
    ],
)
def test_branches_of_one_table_do_not_collide(made: Trial, query: str) -> None:
    steps = (
        "UPDATE t SET v = id",
        "DELETE FROM t WHERE id = 1",
        "INSERT INTO t VALUES (9, 'z', 4, 4, 4)",
        "UPDATE t SET v = 9",
    )
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)
