"""Sums over a join with a much smaller table, which a program keeps for each row of that table.

Lies it would catch: sums that are kept for rows that no longer join; a row of the small table that moves without what
it adds up to, or takes it along twice; a sum of nothing that is 0, or that stays; digits that show in what order
things were added; a condition between both sides that is asked of the wrong one; sums by the row of a large table.
Oracle: PostgreSQL, for the stream table and for its state table; the catalog, for whether there is one.
"""

from __future__ import annotations

import pytest

from property.scenarios import filled_as_kept, follow, must, refreshed, scenario, states
from property.trial import Trial
from trickle.ivm.program.frame import LARGE_ROWS

TABLES = (
    "CREATE TABLE s (k int PRIMARY KEY, n int, c int, note text)",
    "CREATE TABLE n (k int PRIMARY KEY, label text)",
    "CREATE TABLE o (id int PRIMARY KEY, c int, d date)",
    "CREATE TABLE l (o int, s int, q int, p numeric(10,2), x numeric, w bigint)",
    "INSERT INTO n SELECT i, chr(97 + i) FROM generate_series(0, 4) i",
    "INSERT INTO s SELECT i, i % 6, i % 3, 'note ' || i % 9 FROM generate_series(1, 100) i",
    "INSERT INTO o SELECT i, i % 4, date '2001-11-01' + i FROM generate_series(1, 1000) i",
    "INSERT INTO l SELECT 1 + i % 1100, CASE WHEN i % 50 > 0 THEN i % 110 END, CASE WHEN i % 7 > 0 THEN i % 13 END,"
    " CASE WHEN i % 5 > 0 THEN i / 8.0 END, i / 16.0, i FROM generate_series(1, 10500) i",
    "CREATE INDEX ON l (o)",
    "CREATE INDEX ON l (s)",
    "ANALYZE s, n, o, l",
)
STEPS = (
    "UPDATE s SET n = (n + 1) % 6 WHERE k % 40 = 3",
    "UPDATE s SET note = 'note 1' WHERE k = 8",
    ("UPDATE s SET n = 2 WHERE k = 5", "UPDATE l SET q = q + 1 WHERE s = 5", "DELETE FROM l WHERE s = 6"),
    "UPDATE n SET label = 'b' WHERE k IN (0, 3)",
    ("INSERT INTO n VALUES (5, 'f')", "UPDATE s SET n = 5 WHERE k < 4", "INSERT INTO l VALUES (9, 1, 4, 2.5, 1, 1)"),
    "DELETE FROM s WHERE k BETWEEN 20 AND 24",
    ("UPDATE l SET s = 105, p = NULL WHERE o = 7", "INSERT INTO s VALUES (105, 1, 1, NULL), (106, NULL, 1, 'x')"),
    "UPDATE l SET s = 106 WHERE s = 105",
    ("UPDATE o SET d = d + 365, c = c + 1 WHERE id % 90 = 1", "UPDATE s SET k = k + 500 WHERE k = 9"),
    "UPDATE l SET p = NULL WHERE s = 11",
    "DELETE FROM o WHERE id % 5 > 0",
    "UPDATE l SET p = 'NaN' WHERE s = 12 AND o = 10",
    "DELETE FROM n WHERE k < 3",
    "TRUNCATE l",
    "INSERT INTO l VALUES (10, 14, 1, 1, 1, 1), (10, 14, 1, NULL, 1, 1), (15, 15, NULL, -1, 1, 1)",
    "DELETE FROM s",
)
ALL = "l JOIN o ON o.id = l.o JOIN s ON s.k = l.s JOIN n ON n.k = s.n"
KEPT = (
    f"SELECT n.label, extract(year FROM d) AS y, sum(q * p) AS v, count(*) AS n, sum(q) AS q FROM {ALL} GROUP BY 1, 2",
    f"SELECT n.label, sum(p) AS v FROM {ALL} GROUP BY n.label",
    "SELECT s.n, count(p) AS c, sum(w) AS w, sum(q) AS q FROM l JOIN o ON o.id = l.o JOIN s ON s.k = l.s GROUP BY s.n",
    f"SELECT sum(CASE WHEN label = 'a' THEN p * 2 WHEN label = 'b' THEN p ELSE 0 END) / sum(p) AS share FROM {ALL}",
    f"SELECT sum(CASE WHEN label = 'a' THEN q END) AS v, count(*) AS n, count(*)::text || '!' AS t FROM {ALL}",
    f"SELECT label, o.c, sum(p) AS v FROM {ALL} WHERE label = 'a' AND o.c = 1 OR label = 'b' AND o.c = 2 GROUP BY 1, 2",
    f"SELECT label, sum(p) AS v FROM {ALL} AND s.c = o.c GROUP BY label",
    f"SELECT label, sum(p) AS v FROM {ALL} AND s.c < l.q WHERE l.q < 9 AND label <> 'c' GROUP BY label",
    f"SELECT label || o.c AS both, s.note, extract(month FROM d) AS m, sum(p - 0.5) AS v FROM {ALL} GROUP BY 1, 2, 3",
    f"SELECT label, count(*) AS n FROM {ALL} GROUP BY label, l.q",
    "SELECT a.note, sum(p) AS v FROM l JOIN s a ON a.k = l.s JOIN s b ON b.k = l.q GROUP BY a.note",
)
NOT_KEPT = (
    f"SELECT label, avg(p) AS v FROM {ALL} GROUP BY label",
    f"SELECT label, sum(x) AS v FROM {ALL} GROUP BY label",
    f"SELECT label, sum(p) FILTER (WHERE s.c = 1) AS v FROM {ALL} GROUP BY label",
    f"SELECT label, sum(q + 1) AS v FROM {ALL} GROUP BY label",
    f"SELECT label, max(p) AS v FROM {ALL} GROUP BY label",
    f"SELECT label, sum(p * s.c) AS v FROM {ALL} GROUP BY label",
    f"SELECT label, o.id, sum(p) AS v FROM {ALL} GROUP BY label, o.id",
    f"SELECT label, 100 / (l.q - 20) AS v, count(*) AS n FROM {ALL} GROUP BY 1, 2",
    "SELECT s.n, count(p) AS c, sum(w) AS w, sum(q) AS q FROM l JOIN s ON s.k = l.s GROUP BY s.n",
    "SELECT s.n, sum(p) AS v FROM l JOIN s ON s.k > l.s AND s.k < l.s + 2 GROUP BY s.n",
)


@refreshed
@pytest.mark.parametrize("query", KEPT)
def test_sums_that_are_kept(made: Trial, query: str) -> None:
    table = scenario(made, TABLES, query)
    assert len(states(made, table)) == 1
    follow(made, table, *STEPS)


@refreshed
@pytest.mark.parametrize("query", NOT_KEPT)
def test_sums_that_are_not(made: Trial, query: str) -> None:
    table = scenario(made, TABLES, query, *STEPS[:7])
    assert states(made, table) == []


@refreshed
@pytest.mark.parametrize("query", KEPT)
def test_what_is_kept_is_what_the_rows_add_up_to(made: Trial, query: str) -> None:
    filled_as_kept(made, scenario(made, TABLES, query, *STEPS[:9]))


@refreshed
def test_many_changes(made: Trial) -> None:
    table = scenario(made, TABLES, KEPT[0])
    must(
        made, f"INSERT INTO l SELECT i % 900, i % 99, i % 5, i % 11, 1, 1 FROM generate_series(1, {LARGE_ROWS + 500}) i"
    )
    must(made, "UPDATE s SET n = (n + 2) % 6")
    made.refresh(table)
    follow(made, table, "UPDATE n SET label = label || 'x'")


def test_writers_that_keep_it_themselves_share_none(made: Trial) -> None:
    table = scenario(made, TABLES, KEPT[0], *STEPS[:5])
    assert len(states(made, table)) == (1 if made.mode == "DIFFERENTIAL" else 0)


def test_a_table_that_is_not_much_smaller(made: Trial) -> None:
    table = scenario(made, (*TABLES, "DELETE FROM l WHERE w % 2 = 0", "ANALYZE l"), KEPT[0], *STEPS[:3])
    assert states(made, table) == []
