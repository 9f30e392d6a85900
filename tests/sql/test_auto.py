"""AUTO from asking for it to the history: kept as it was asked for, decided at each refresh, told afterwards.

Oracle: PostgreSQL, and costs written into the catalog by hand. Catches: an explicit mode that is overruled, a choice
that nobody can read afterwards, a change that is lost when the choice is FULL.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest
from psycopg import errors
from support.databases import Database

from trickle import Client, connect

from .conftest import Connection, is_equal, one, outcome

QUERY = "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer"
MODES = "SELECT refresh_mode, requested_mode FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 't'"
DEAR, CHEAP = 100_000.0, 0.001


@pytest.fixture
def client(db: Database, orders: Connection) -> Iterator[Client]:
    """A client beside the table `orders`, grown to 20 000 rows; what it creates is compiled."""
    orders.execute("INSERT INTO orders SELECT i, i % 3, i, 'n' || i FROM generate_series(1001, 21000) i")
    orders.execute("ANALYZE orders")
    with connect(db.url) as opened:
        yield opened


def believe(conn: Connection, full_ms: float) -> None:
    """Whatever was measured: a full refresh takes this long."""
    conn.execute(
        "UPDATE pgtrickle.pgt_full_costs c SET ms = %s, source_bytes = s.bytes"
        " FROM pgtrickle.pgt_stream_tables t, pgtrickle._source_size(t.pgt_id) s WHERE t.pgt_id = c.pgt_id",
        (full_ms,),
    )
    conn.execute("DELETE FROM pgtrickle.pgt_differential_costs")


def believe_differential(conn: Connection, fixed_ms: float) -> None:
    conn.execute(
        "UPDATE pgtrickle.pgt_differential_costs SET fixed_ms = %s, measured = 9, largest = 9, credit_ms = 0",
        (fixed_ms,),
    )


def test_what_was_asked_for_is_kept(client: Client, orders: Connection) -> None:
    client.create_stream_table("t", QUERY)
    assert orders.execute(MODES).fetchone() == ("DIFFERENTIAL", "AUTO")
    assert client.status("t").requested_mode == "AUTO"
    assert one(orders, "SELECT requested_mode FROM pgtrickle.pgt_status()") == "AUTO"
    assert "refresh_mode => 'AUTO'" in one(orders, "SELECT pgtrickle.export_definition('t')")

    client.alter_stream_table("t", schedule="9s")
    client.alter_stream_table("t", query=QUERY.replace("sum", "max"))
    orders.execute("UPDATE orders SET amount = 0 WHERE id = 1; SELECT pgtrickle.refresh_stream_table('t')")
    assert one(orders, "SELECT count(*) FROM pgtrickle.pgt_differential_costs") == 1
    orders.execute("SELECT pgtrickle.restore_stream_tables()")
    assert one(orders, "SELECT count(*) FROM pgtrickle.pgt_differential_costs") == 0
    assert orders.execute(MODES).fetchone() == ("DIFFERENTIAL", "AUTO")

    client.alter_stream_table("t", refresh_mode="DIFFERENTIAL")
    assert orders.execute(MODES).fetchone() == ("DIFFERENTIAL", "DIFFERENTIAL")
    client.create_or_replace_stream_table("t", QUERY.replace("sum", "max"), schedule="9s", refresh_mode="FULL")
    assert orders.execute(MODES).fetchone() == ("FULL", "FULL")
    client.create_or_replace_stream_table("t", QUERY.replace("sum", "max"), schedule="9s", refresh_mode="AUTO")
    assert orders.execute(MODES).fetchone() == ("DIFFERENTIAL", "AUTO")


def test_full_may_become_auto(client: Client, orders: Connection) -> None:
    client.create_stream_table("t", QUERY, refresh_mode="FULL")
    status = client.alter_stream_table("t", refresh_mode="AUTO")
    assert (status.refresh_mode, status.requested_mode, status.program_state) == ("DIFFERENTIAL", "AUTO", "compiled")


def test_a_query_that_could_only_be_full_is_auto_again_when_it_changes(orders: Connection) -> None:
    orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT random() AS r FROM orders')")
    assert orders.execute(MODES).fetchone() == ("FULL", "AUTO")
    orders.execute("SELECT pgtrickle.alter_stream_table('t', query => 'SELECT id FROM orders')")
    assert orders.execute(MODES).fetchone() == ("DIFFERENTIAL", "AUTO")


def test_each_refresh_takes_the_cheaper_way_and_says_so(client: Client, orders: Connection) -> None:
    client.create_stream_table("t", QUERY)
    believe(orders, DEAR)
    orders.execute("UPDATE orders SET amount = 0 WHERE id = 1")
    assert outcome(orders, "t")[0] == "DIFFERENTIAL"
    believe_differential(orders, DEAR)
    orders.execute("UPDATE pgtrickle.pgt_full_costs SET ms = 5")
    orders.execute("UPDATE orders SET amount = 0 WHERE id = 2")
    action, *_, reason = outcome(orders, "t")
    assert action == "FULL" and "predicted to take" in reason
    assert is_equal(orders, "t")

    told = orders.execute(
        "SELECT action, changes_seen, predicted_differential_ms >= 1000, predicted_full_ms < 1000"
        " FROM pgtrickle.get_refresh_history('t') WHERE initiated_by = 'MANUAL'"
    ).fetchall()
    assert told == [("FULL", 2, True, True), ("DIFFERENTIAL", 2, False, False)]
    assert client.status("t").effective_refresh_mode == "FULL"


def test_a_mode_that_was_asked_for_is_not_overruled(client: Client, orders: Connection) -> None:
    client.create_stream_table("t", QUERY, refresh_mode="DIFFERENTIAL")
    believe(orders, CHEAP)
    orders.execute("UPDATE orders SET amount = amount + 1")
    assert outcome(orders, "t")[0] == "DIFFERENTIAL"
    assert one(orders, "SELECT count(*) FROM pgtrickle.pgt_differential_costs") == 0
    assert one(orders, "SELECT max(changes_seen) FROM pgtrickle.pgt_refresh_history") is None


def test_nothing_to_do_is_found_by_counting(client: Client, orders: Connection) -> None:
    client.create_stream_table("t", QUERY)
    before = one(orders, "SELECT count(*) FROM pgtrickle.pgt_refresh_history")
    assert outcome(orders, "t") == ("NO_DATA", 0, 0, 0, None)
    assert one(orders, "SELECT count(*) FROM pgtrickle.pgt_refresh_history") == before
    assert one(orders, "SELECT count(*) FROM pgtrickle.pgt_differential_costs") == 0


def test_changes_are_counted_across_the_old_snapshot(client: Client, db: Database, orders: Connection) -> None:
    """A transaction that was open at the last refresh, and one's own, are counted as well as what came after."""
    client.create_stream_table("t", QUERY)
    believe(orders, DEAR)
    with db.connect(autocommit=False) as late:
        late.execute("INSERT INTO orders VALUES (21, 1, 1, ''), (22, 1, 1, '')")
        orders.execute("INSERT INTO orders VALUES (20, 1, 1, '')")
        assert outcome(orders, "t")[0] == "DIFFERENTIAL"
        late.commit()
    orders.execute("INSERT INTO orders VALUES (23, 1, 1, '')")
    with orders.transaction():
        outcome(orders, "t")
        orders.execute("INSERT INTO orders VALUES (24, 1, 1, ''), (25, 1, 1, '')")
        outcome(orders, "t")
    counted = orders.execute(
        "SELECT changes_seen FROM pgtrickle.pgt_refresh_history WHERE initiated_by = 'MANUAL' ORDER BY refresh_id"
    ).fetchall()
    assert counted == [(1,), (3,), (2,)]
    assert is_equal(orders, "t")


def test_counting_ends_where_it_does_not_matter(client: Client, orders: Connection) -> None:
    client.create_stream_table("t", QUERY)
    believe(orders, 1)
    orders.execute("INSERT INTO orders SELECT i, i % 3, i, '' FROM generate_series(30000, 90000) i")
    assert outcome(orders, "t")[0] == "FULL"
    seen = one(orders, "SELECT changes_seen FROM pgtrickle.pgt_refresh_history ORDER BY refresh_id DESC LIMIT 1")
    assert 2000 < seen < 30_000


def test_what_changes_together_is_learned_together(client: Client, orders: Connection) -> None:
    """One row of a small table may mean a thousand rows of the answer: that is another cost."""
    orders.execute("CREATE TABLE customers (id int PRIMARY KEY, name text)")
    orders.execute("INSERT INTO customers SELECT i, 'n' || i FROM generate_series(0, 2) i")
    client.create_stream_table("t", "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer")
    believe(orders, DEAR)
    for statement in ("UPDATE orders SET customer = 1 WHERE id = 2", "UPDATE customers SET name = name || 'x'"):
        orders.execute(statement.encode())
        assert outcome(orders, "t")[0] == "DIFFERENTIAL"
    orders.execute("UPDATE orders SET customer = 2 WHERE id = 2; UPDATE customers SET name = name || 'y'")
    assert outcome(orders, "t")[0] == "DIFFERENTIAL"
    sets = orders.execute("SELECT cardinality(changed) FROM pgtrickle.pgt_differential_costs ORDER BY 1").fetchall()
    assert sets == [(1,), (1,), (2,)]
    # What was never seen together begins with what is known of the set most like it.
    orders.execute("DELETE FROM pgtrickle.pgt_differential_costs WHERE cardinality(changed) = 2")
    orders.execute("UPDATE pgtrickle.pgt_differential_costs SET fixed_ms = 1000 * changed[1], largest = 10")
    known = one(orders, "SELECT min(changed[1]) FROM pgtrickle.pgt_differential_costs")
    begun = "SELECT c.fixed_ms, c.measured FROM pgtrickle._cost_of_changes(1, ARRAY[%s, 99]) c"
    assert orders.execute(begun, (known,)).fetchone() == (1000 * known, 0)
    assert orders.execute(begun, (known + 1,)).fetchone() == (1000 * (known + 1), 0)
    client.alter_stream_table("t", query="SELECT id FROM orders")
    assert one(orders, "SELECT count(*) FROM pgtrickle.pgt_differential_costs") == 0


def test_a_truncated_source_is_not_counted(client: Client, orders: Connection) -> None:
    client.create_stream_table("t", QUERY)
    believe(orders, DEAR)
    orders.execute("TRUNCATE orders")
    assert outcome(orders, "t") == ("FULL", 0, 0, 3, "a source was truncated")
    assert is_equal(orders, "t")


def test_a_share_of_the_source_may_be_set_as_the_limit(client: Client, orders: Connection) -> None:
    client.create_stream_table("t", QUERY, max_delta_fraction=0.3)
    believe(orders, DEAR)
    orders.execute("INSERT INTO orders VALUES (30, 1, 1, ''), (31, 1, 1, '')")
    assert outcome(orders, "t")[0] == "DIFFERENTIAL"
    orders.execute("UPDATE orders SET amount = amount + 1")
    action, *_, reason = outcome(orders, "t")
    assert action == "FULL" and "max_delta_fraction" in reason


def test_a_sum_that_cannot_be_kept_teaches_that_it_cannot(client: Client, orders: Connection) -> None:
    """It is tried and then recomputed: what both took is what a differential refresh takes."""
    orders.execute("ALTER TABLE orders ALTER amount TYPE numeric")
    client.create_stream_table("t", QUERY)
    believe(orders, DEAR)
    orders.execute("UPDATE orders SET amount = 'NaN' WHERE id = 1")
    assert outcome(orders, "t")[0] == "FULL"
    assert one(orders, "SELECT measured = 1 OR doubt IS NOT NULL FROM pgtrickle.pgt_differential_costs")
    assert one(orders, "SELECT ms FROM pgtrickle.pgt_full_costs") < DEAR


def test_a_differential_refresh_that_was_cancelled_is_not_tried_again(client: Client, orders: Connection) -> None:
    client.create_stream_table("t", QUERY)
    believe(orders, 50)
    orders.execute("UPDATE orders SET amount = 0 WHERE id = 1")
    orders.execute(
        "SELECT pgtrickle._record_failure(pgt_id, now() - interval '300 s', '57014', 'cancelled', 'SCHEDULER')"
        " FROM pgtrickle.pgt_stream_tables"
    )
    action, *_, reason = outcome(orders, "t")
    predicted = re.search(r"and ([\d.]+) ms differentially", reason)
    assert action == "FULL" and predicted is not None and 300_000 <= float(predicted[1]) < 310_000
    assert is_equal(orders, "t")


def test_a_trial_is_a_refresh_like_any_other(client: Client, orders: Connection) -> None:
    client.create_stream_table("t", QUERY)
    believe(orders, 20)
    orders.execute("UPDATE orders SET amount = 0 WHERE id = 1")
    assert outcome(orders, "t")[0] == "DIFFERENTIAL"
    orders.execute(
        "UPDATE pgtrickle.pgt_differential_costs SET fixed_ms = 10, measured = 9, largest = 9, credit_ms = 1000"
    )
    orders.execute("UPDATE orders SET amount = 0 WHERE id = 2")
    action, *_, reason = outcome(orders, "t")
    assert action == "FULL" and reason.startswith("tried to measure it anew")
    assert is_equal(orders, "t")
    assert one(orders, "SELECT credit_ms FROM pgtrickle.pgt_differential_costs") <= 0
    assert one(orders, "SELECT last_choice FROM pgtrickle.pgt_differential_costs") == "DIFFERENTIAL"


def test_the_two_ways_may_alternate(client: Client, orders: Connection) -> None:
    """What one has written the other goes on from, hidden columns and frontier included."""
    client.create_stream_table("t", QUERY.replace("sum(amount) AS total", "avg(amount) AS mean, max(note) AS last"))
    client.create_stream_table("notes", "SELECT note, amount FROM orders WHERE amount > 3")
    chance, seen = random.Random(17), set()
    for _ in range(8):
        low = chance.randint(1, 20_000)
        orders.execute(
            "UPDATE orders SET amount = amount + 1, customer = 3 - customer WHERE id BETWEEN %s AND %s", (low, low + 9)
        )
        orders.execute("DELETE FROM orders WHERE id = %s", (low + 11,))
        orders.execute("UPDATE pgtrickle.pgt_full_costs SET ms = %s, doubt = NULL", (chance.choice([DEAR, 5]),))
        believe_differential(orders, 1000)
        for name in ("t", "notes"):
            seen.add(outcome(orders, name)[0])
            assert is_equal(orders, name)
    assert seen == {"FULL", "DIFFERENTIAL"}


def test_only_the_catalog_may_count(client: Client, db: Database) -> None:
    client.create_stream_table("t", QUERY)
    clerk = db.create_role()
    with db.superuser() as admin:
        admin.execute(f"GRANT USAGE ON SCHEMA pgtrickle_programs TO {clerk}".encode())
    with db.connect_as(clerk) as stranger, pytest.raises(errors.InsufficientPrivilege):
        stranger.execute("SELECT * FROM pgtrickle_programs.refresh_1_changes(1)")
