"""Capture: every path writes each change exactly once, and no write of an application ever fails."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from support.databases import Database

from .conftest import Changes, Connection, is_equal, one, outcome


def track(connection: Connection, query: str, name: str = "t") -> None:
    connection.execute("SELECT pgtrickle.create_stream_table(%s, %s)", (name, query))


def test_insert_update_delete(orders: Connection, changes: Changes) -> None:
    track(orders, "SELECT customer, sum(amount) AS s FROM orders GROUP BY customer")
    orders.execute("INSERT INTO orders VALUES (10, 1, 5)")
    assert changes("orders") == [(1, {"id": 10, "customer": 1, "amount": 5.00})]
    orders.execute("UPDATE orders SET amount = 6 WHERE id = 10")
    assert changes("orders") == [
        (-1, {"id": 10, "customer": 1, "amount": 5.00}),
        (1, {"id": 10, "customer": 1, "amount": 6.00}),
    ]
    orders.execute("DELETE FROM orders WHERE id = 10")
    assert changes("orders") == [(-1, {"id": 10, "customer": 1, "amount": 6.00})]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET note = 'other' WHERE id = 1",
        "UPDATE orders SET note = 'other'",
        "UPDATE orders SET customer = customer",
        "UPDATE orders SET customer = 1 WHERE false",
        "DELETE FROM orders WHERE false",
        "INSERT INTO orders SELECT * FROM orders WHERE false",
        "INSERT INTO orders VALUES (1, 1, 1) ON CONFLICT DO NOTHING",
    ],
)
def test_what_changes_no_captured_column_writes_nothing(orders: Connection, changes: Changes, statement: str) -> None:
    track(orders, "SELECT customer, sum(amount) AS s FROM orders GROUP BY customer")
    orders.execute(statement.encode())
    assert changes("orders") == []


def test_a_bulk_update_writes_only_rows_that_change(orders: Connection, changes: Changes) -> None:
    track(orders, "SELECT customer, amount FROM orders")
    orders.execute("UPDATE orders SET amount = CASE id WHEN 7 THEN 0 ELSE amount END")
    assert changes("orders") == [
        (-1, {"id": 7, "customer": 1, "amount": 7.00}),
        (1, {"id": 7, "customer": 1, "amount": 0.00}),
    ]


def test_an_update_of_the_image_alone_is_captured(conn: Connection, changes: Changes) -> None:
    conn.execute("CREATE TABLE numbers (id int PRIMARY KEY, n numeric, f float8, unread text)")
    conn.execute("INSERT INTO numbers VALUES (1, 1.0, 0, NULL), (2, 2, 0, NULL)")
    track(conn, "SELECT n::text AS n, f FROM numbers")
    conn.execute("UPDATE numbers SET n = 1.00 WHERE id = 1")
    assert [weight for weight, _ in changes("numbers")] == [-1, 1]
    conn.execute("UPDATE numbers SET f = '-0' WHERE id = 2")
    assert [weight for weight, _ in changes("numbers")] == [-1, 1]
    conn.execute("UPDATE numbers SET n = CASE id WHEN 2 THEN 2.000 ELSE n END")
    assert [weight for weight, _ in changes("numbers")] == [-1, 1]


def test_where_every_column_is_read_an_update_to_the_same_values_cancels(conn: Connection, changes: Changes) -> None:
    conn.execute("CREATE TABLE pairs (id int PRIMARY KEY, n int)")
    conn.execute("INSERT INTO pairs SELECT g, g FROM generate_series(1, 3) g")
    track(conn, "SELECT id, n FROM pairs")
    conn.execute("UPDATE pairs SET n = n WHERE id = 1")
    assert changes("pairs") == [(-1, {"id": 1, "n": 1}), (1, {"id": 1, "n": 1})]
    conn.execute("UPDATE pairs SET n = n + id / 3")
    assert outcome(conn, "t")[1:4] == (1, 0, 1)
    assert is_equal(conn, "t")


def test_types_without_equality(conn: Connection, changes: Changes) -> None:
    conn.execute("CREATE TABLE odd (id int PRIMARY KEY, j json, x xid, p point, b box[], unread text)")
    conn.execute("INSERT INTO odd VALUES (1, '{\"a\": 1}', '1', '(1,2)', NULL), (2, '[]', NULL, NULL, '{}')")
    track(conn, "SELECT id, j, x, p, b FROM odd")
    conn.execute("UPDATE odd SET id = id WHERE id = 1")
    assert changes("odd") == []
    conn.execute("UPDATE odd SET p = '(3,4)' WHERE id = 2")
    assert [weight for weight, _ in changes("odd")] == [-1, 1]
    conn.execute("UPDATE odd SET p = '(3,4)'")
    assert [weight for weight, _ in changes("odd")] == [-1, -1, 1, 1]
    conn.execute("DELETE FROM odd")
    assert is_equal(conn, "t")


def test_every_statement_form_is_captured_once(orders: Connection, changes: Changes) -> None:
    track(orders, "SELECT id FROM orders")
    orders.execute("INSERT INTO orders VALUES (1), (50) ON CONFLICT (id) DO UPDATE SET id = orders.id + 1000")
    assert changes("orders") == [(-1, {"id": 1}), (1, {"id": 50}), (1, {"id": 1001})]
    orders.execute(
        "MERGE INTO orders o USING (VALUES (2), (60)) v(id) ON o.id = v.id"
        " WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (v.id)"
    )
    assert changes("orders") == [(-1, {"id": 2}), (1, {"id": 60})]
    with orders.cursor() as cursor, cursor.copy("COPY orders (id) FROM STDIN") as copy:
        copy.write("70\n71\n")
    assert changes("orders") == [(1, {"id": 70}), (1, {"id": 71})]
    orders.execute(
        "WITH gone AS (DELETE FROM orders WHERE id = 70 RETURNING id) INSERT INTO orders (id) SELECT id + 10 FROM gone"
    )
    assert changes("orders") == [(-1, {"id": 70}), (1, {"id": 80})]


def test_foreign_key_actions_are_captured(orders: Connection, changes: Changes) -> None:
    orders.execute(
        "CREATE TABLE items (item int PRIMARY KEY, id int REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE)"
    )
    orders.execute("INSERT INTO items VALUES (1, 1), (2, 2)")
    track(orders, "SELECT id, item FROM items")
    orders.execute("DELETE FROM orders WHERE id = 1")
    assert changes("items") == [(-1, {"item": 1, "id": 1})]
    orders.execute("UPDATE orders SET id = 200 WHERE id = 2")
    assert changes("items") == [(-1, {"item": 2, "id": 2}), (1, {"item": 2, "id": 200})]


def test_truncate_leaves_a_marker(orders: Connection, changes: Changes) -> None:
    track(orders, "SELECT id FROM orders")
    orders.execute("TRUNCATE orders")
    assert one(orders, "SELECT reason FROM pgtrickle_changes.markers") == "TRUNCATE"
    assert one(orders, "SELECT has_changes FROM pgtrickle.pending()")
    assert is_equal(orders, "t")


def test_only_columns_in_use_and_the_key_are_captured(orders: Connection, changes: Changes) -> None:
    track(orders, "SELECT amount FROM orders")
    orders.execute("DELETE FROM orders WHERE id = 1")
    assert changes("orders") == [(-1, {"id": 1, "amount": 1.00})]
    track(orders, "SELECT o.*::text AS o FROM orders o", "whole")
    orders.execute("DELETE FROM orders WHERE id = 2")
    assert changes("orders") == [(-1, {"id": 2, "amount": 2.00, "customer": 2, "note": "n2"})]


def test_through_views(orders: Connection, changes: Changes) -> None:
    orders.execute("CREATE VIEW inner_view AS SELECT id, note FROM orders")
    orders.execute("CREATE VIEW outer_view AS SELECT note FROM inner_view WHERE id > 2")
    track(orders, "SELECT count(*) FROM outer_view")
    orders.execute("DELETE FROM orders WHERE id = 5")
    assert changes("orders") == [(-1, {"id": 5, "note": "n5"})]
    orders.execute("CREATE OR REPLACE VIEW inner_view AS SELECT id, note FROM orders WHERE amount > 4")
    assert "inner_view" in outcome(orders, "t")[4]
    assert is_equal(orders, "t")
    assert one(orders, "SELECT captured_attnums FROM pgtrickle.pgt_change_tracking") == [1, 3, 4]


def test_renames_are_followed_and_drops_refused(orders: Connection, changes: Changes) -> None:
    track(orders, "SELECT customer, amount FROM orders")
    orders.execute("ALTER TABLE orders RENAME amount TO price")
    orders.execute("INSERT INTO orders VALUES (10, 1, 5)")
    orders.execute("ALTER TABLE orders RENAME TO sales")
    orders.execute("INSERT INTO sales VALUES (11, 1, 5)")
    orders.execute("ALTER TABLE sales DROP COLUMN note")
    orders.execute("INSERT INTO sales VALUES (12, 1, 5)")
    orders.execute("ALTER TABLE sales ADD COLUMN c1 int, ADD COLUMN customer2 int")
    orders.execute("INSERT INTO sales VALUES (13, 1, 5, 1, 1)")
    assert [row["id"] for _, row in changes("sales")] == [10, 11, 12, 13]
    with pytest.raises(errors.DependentObjectsStillExist):
        orders.execute("ALTER TABLE sales DROP COLUMN price")
    with pytest.raises(errors.DependentObjectsStillExist):
        orders.execute("ALTER TABLE sales DROP COLUMN id")
    with pytest.raises(errors.FeatureNotSupported):
        orders.execute("ALTER TABLE sales ALTER COLUMN price TYPE float8")
    with pytest.raises(errors.FeatureNotSupported):
        orders.execute("ALTER TABLE sales ALTER COLUMN id TYPE bigint")
    assert "name" in outcome(orders, "t")[4]
    assert is_equal(orders, "t")


def test_a_second_consumer_widens_the_buffer(orders: Connection, changes: Changes) -> None:
    track(orders, "SELECT customer FROM orders", "narrow")
    orders.execute("INSERT INTO orders VALUES (10, 1, 5, 'x')")
    track(orders, "SELECT note FROM orders", "wide")
    orders.execute("INSERT INTO orders VALUES (11, 1, 5, 'y')")
    assert changes("orders") == [
        (1, {"id": 10, "customer": 1, "note": None}),
        (1, {"id": 11, "customer": 1, "note": "y"}),
    ]


def test_domains_enums_arrays_composites_and_collations(conn: Connection) -> None:
    conn.execute("CREATE DOMAIN positive AS numeric(6,2) CHECK (value > 0)")
    conn.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')")
    conn.execute("CREATE TYPE pair AS (a int, b text)")
    conn.execute(
        'CREATE TABLE rich (d positive, m mood, p pair, ms mood[], r int4range, t text COLLATE "C", c char(5),'
        " v varchar(4), g int GENERATED ALWAYS AS (length(t)) STORED)"
    )
    track(conn, "SELECT * FROM rich")
    conn.execute(
        "INSERT INTO rich VALUES (1.5, 'sad', (1, 'x'), '{sad,happy}', '[1,5)', 'b', 'ab', 'abcd'),"
        " (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    )
    conn.execute("UPDATE rich SET m = 'happy', p = (2, 'y'), c = 'abc' WHERE d IS NOT NULL")
    conn.execute("UPDATE rich SET t = 'bb'")
    assert is_equal(conn, "t")


def test_virtual_generated_columns(conn: Connection, changes: Changes) -> None:
    if conn.info.server_version < 180000:
        pytest.skip("PostgreSQL 18 has virtual generated columns")
    conn.execute("CREATE TABLE virt (id int PRIMARY KEY, a int, b int, v int GENERATED ALWAYS AS (a + 1) VIRTUAL)")
    track(conn, "SELECT v FROM virt")
    conn.execute("INSERT INTO virt VALUES (1, 1, 1)")
    conn.execute("UPDATE virt SET a = 5")
    assert changes("virt") == [(-1, {"id": 1, "a": 1}), (1, {"id": 1, "a": 1}), (1, {"id": 1, "a": 5})]
    assert is_equal(conn, "t")


def test_partitioned_trees_at_every_level(conn: Connection, changes: Changes) -> None:
    conn.execute("CREATE TABLE p (id int, k text, v int) PARTITION BY RANGE (id)")
    conn.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100)")
    conn.execute("CREATE TABLE p2 (v int, gone int, k text, id int)")
    conn.execute("ALTER TABLE p2 DROP COLUMN gone")
    conn.execute("ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200)")
    conn.execute("CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300) PARTITION BY RANGE (id)")
    conn.execute("CREATE TABLE p31 PARTITION OF p3 FOR VALUES FROM (200) TO (300)")
    track(conn, "SELECT k, sum(v) AS s FROM p GROUP BY k")
    conn.execute("INSERT INTO p VALUES (1, 'a', 1), (101, 'b', 2), (201, 'c', 3)")
    assert changes("p") == [(1, {"k": "a", "v": 1}), (1, {"k": "b", "v": 2}), (1, {"k": "c", "v": 3})]
    conn.execute("INSERT INTO p2 VALUES (7, 'd', 102)")
    conn.execute("INSERT INTO p3 VALUES (202, 'e', 8)")
    conn.execute("INSERT INTO p31 VALUES (203, 'f', 9)")
    assert changes("p") == [(1, {"k": "d", "v": 7}), (1, {"k": "e", "v": 8}), (1, {"k": "f", "v": 9})]
    conn.execute("UPDATE p SET id = id + 100, v = v + 1 WHERE k = 'a'")
    assert changes("p") == [(-1, {"k": "a", "v": 1}), (1, {"k": "a", "v": 2})]
    conn.execute("UPDATE p2 SET v = v + 1 WHERE k = 'd'")
    assert changes("p") == [(-1, {"k": "d", "v": 7}), (1, {"k": "d", "v": 8})]
    conn.execute("DELETE FROM p31")
    assert [weight for weight, _ in changes("p")] == [-1, -1, -1]
    assert is_equal(conn, "t")


def test_partitions_that_come_and_go(conn: Connection) -> None:
    conn.execute("CREATE TABLE p (id int, k text) PARTITION BY RANGE (id)")
    conn.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100)")
    track(conn, "SELECT k, count(*) AS n FROM p GROUP BY k")
    conn.execute("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200)")
    conn.execute("INSERT INTO p2 VALUES (100, 'new leaf')")
    assert one(conn, "SELECT has_changes FROM pgtrickle.pending()")
    assert is_equal(conn, "t")
    conn.execute("CREATE TABLE p3 (id int, k text)")
    conn.execute("INSERT INTO p3 VALUES (250, 'attached')")
    conn.execute("ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (200) TO (300)")
    assert is_equal(conn, "t")
    conn.execute("INSERT INTO p3 VALUES (251, 'attached')")
    assert is_equal(conn, "t")
    conn.execute("ALTER TABLE p DETACH PARTITION p3")
    assert is_equal(conn, "t")
    conn.execute("INSERT INTO p3 VALUES (999, 'apart')")
    assert not one(conn, "SELECT has_changes FROM pgtrickle.pending()")
    assert one(conn, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'p3'::regclass") == 0
    conn.execute("DROP TABLE p1")
    assert is_equal(conn, "t")


def test_inheritance(conn: Connection, changes: Changes) -> None:
    conn.execute("CREATE TABLE parent (a int, b int)")
    conn.execute("CREATE TABLE child (z text) INHERITS (parent)")
    track(conn, "SELECT a, count(*) AS n FROM parent GROUP BY a")
    conn.execute("INSERT INTO parent VALUES (1, 1)")
    conn.execute("INSERT INTO child VALUES (2, 2, 'q')")
    assert changes("parent") == [(1, {"a": 1}), (1, {"a": 2})]
    conn.execute("UPDATE parent SET a = a + 1")
    assert changes("parent") == [(-1, {"a": 1}), (-1, {"a": 2}), (1, {"a": 2}), (1, {"a": 3})]
    conn.execute("DELETE FROM child")
    assert changes("parent") == [(-1, {"a": 3})]
    assert is_equal(conn, "t")


def test_replica_role_is_captured_by_the_row_trigger(db: Database, conn: Connection, changes: Changes) -> None:
    conn.execute("CREATE TABLE p (id int PRIMARY KEY, k text) PARTITION BY RANGE (id)")
    conn.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100)")
    track(conn, "SELECT k, count(*) AS n FROM p GROUP BY k")
    with db.superuser() as applier:
        applier.execute("SET session_replication_role = replica")
        applier.execute("INSERT INTO p VALUES (1, 'a'), (2, 'b')")
        applier.execute("UPDATE p1 SET k = 'c' WHERE id = 1")
        applier.execute("UPDATE p SET id = id")
        applier.execute("DELETE FROM p WHERE id = 2")
        applier.execute("TRUNCATE p")
    assert [(weight, row["k"]) for weight, row in changes("p")] == [
        (-1, "a"), (-1, "b"), (1, "a"), (1, "c"), (1, "b")
    ]  # fmt: skip
    assert one(conn, "SELECT count(*) > 0 FROM pgtrickle_changes.markers")


def test_row_trigger_mode(orders: Connection, changes: Changes) -> None:
    orders.execute("SELECT pgtrickle.set_config('cdc_trigger_mode', 'row')")
    track(orders, "SELECT customer, amount FROM orders")
    orders.execute("INSERT INTO orders VALUES (10, 1, 5)")
    orders.execute("UPDATE orders SET amount = CASE id WHEN 10 THEN 6 ELSE amount END")
    orders.execute("DELETE FROM orders WHERE id = 10")
    assert [(weight, row["amount"]) for weight, row in changes("orders")] == [(-1, 5.0), (-1, 6.0), (1, 5.0), (1, 6.0)]
    orders.execute("TRUNCATE orders")
    assert is_equal(orders, "t")


def test_an_application_role_needs_rights_on_its_own_tables_only(db: Database, orders: Connection) -> None:
    track(orders, "SELECT customer, sum(amount) AS s FROM orders GROUP BY customer")
    clerk = db.create_role()
    orders.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON orders TO {clerk}".encode())
    with db.connect_as(clerk) as application:
        application.execute("CREATE TEMP TABLE changes_1 (x int)")
        application.execute("SET search_path = pg_temp, public")
        application.execute("INSERT INTO public.orders VALUES (10, 1, 5)")
        application.execute("UPDATE public.orders SET amount = 0")
        application.execute("DELETE FROM public.orders WHERE id = 4")
        application.execute("TRUNCATE public.orders")
        application.execute("INSERT INTO public.orders VALUES (10, 1, 5)")
        with pytest.raises(errors.InsufficientPrivilege):
            application.execute("SELECT * FROM pgtrickle_changes.markers")
        with pytest.raises(errors.InsufficientPrivilege):
            application.execute("SELECT * FROM pgtrickle.pgt_status()")
    assert is_equal(orders, "t")


def test_capture_waits_only_briefly_for_open_writers(db: Database, orders: Connection) -> None:
    orders.execute("SELECT pgtrickle.set_config('capture_lock_timeout', '50ms')")
    with db.connect(autocommit=False) as writer:
        writer.execute("INSERT INTO orders VALUES (10)")
        with pytest.raises(errors.LockNotAvailable) as caught:
            track(orders, "SELECT id FROM orders")
        assert "orders" in str(caught.value) and caught.value.diag.message_hint
        assert one(orders, "SELECT to_regclass('t')") is None
        writer.commit()
    track(orders, "SELECT id FROM orders")
    assert is_equal(orders, "t")


def test_savepoints_and_rollbacks(orders: Connection) -> None:
    track(orders, "SELECT id FROM orders")
    with orders.transaction():
        orders.execute("INSERT INTO orders VALUES (10)")
        with pytest.raises(psycopg.errors.UniqueViolation), orders.transaction():
            orders.execute("INSERT INTO orders VALUES (11)")
            orders.execute("INSERT INTO orders VALUES (10)")
        orders.execute("INSERT INTO orders VALUES (12)")
    assert one(orders, "SELECT array_agg(c1 ORDER BY c1) FROM pgtrickle_changes.changes_1") == [10, 12]
