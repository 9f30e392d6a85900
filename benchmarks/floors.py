"""The floor: what somebody writes by hand who knows the one query, the one table that changes, and nothing else.

A trigger writes signed rows to a buffer; one statement folds the buffer and merges it into the result; the buffer is
emptied; commit. It keeps no frontier, serves one reader only, cannot follow DDL or a second changing table, and is
the yardstick for what generality costs.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

_CAPTURE = """
CREATE TABLE bench.floor_captured (
    n bigserial, weight int NOT NULL, id int NOT NULL, region text NOT NULL, customer_id int NOT NULL,
    amount numeric(10,2) NOT NULL, quantity int NOT NULL);
CREATE TABLE bench.floor_buffer (LIKE bench.floor_captured);
CREATE FUNCTION bench.floor_capture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO bench.floor_captured (weight, id, region, customer_id, amount, quantity)
        SELECT -1, o.* FROM old_rows o;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO bench.floor_captured (weight, id, region, customer_id, amount, quantity)
        SELECT 1, n.* FROM new_rows n;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER floor_insert AFTER INSERT ON bench.sales
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION bench.floor_capture();
CREATE TRIGGER floor_update AFTER UPDATE ON bench.sales
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION bench.floor_capture();
CREATE TRIGGER floor_delete AFTER DELETE ON bench.sales
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION bench.floor_capture();
"""

# The last change of a key tells what is there now.
_LAST = "SELECT DISTINCT ON (id) * FROM bench.floor_buffer ORDER BY id, n DESC"

APPLY = {
    "scan": f"""
MERGE INTO bench.scan_floor t USING ({_LAST}) d ON t.id = d.id
WHEN MATCHED AND d.weight < 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET region = d.region, customer_id = d.customer_id, amount = d.amount, quantity = d.quantity
WHEN NOT MATCHED AND d.weight > 0 THEN INSERT VALUES (d.id, d.region, d.customer_id, d.amount, d.quantity)
""",
    "filter": f"""
MERGE INTO bench.filter_floor t USING ({_LAST}) d ON t.id = d.id
WHEN MATCHED AND (d.weight < 0 OR d.amount <= 500) THEN DELETE
WHEN MATCHED THEN UPDATE SET region = d.region, customer_id = d.customer_id, amount = d.amount, quantity = d.quantity
WHEN NOT MATCHED AND d.weight > 0 AND d.amount > 500
    THEN INSERT VALUES (d.id, d.region, d.customer_id, d.amount, d.quantity)
""",
    "agg5": """
MERGE INTO bench.agg5_floor t
USING (SELECT region, sum(weight * amount) AS total, sum(weight) AS sales FROM bench.floor_buffer GROUP BY region) d
ON t.region = d.region
WHEN MATCHED AND t.sales + d.sales = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET total = t.total + d.total, sales = t.sales + d.sales
WHEN NOT MATCHED THEN INSERT VALUES (d.region, d.total, d.sales)
""",
    "agg10k": """
MERGE INTO bench.agg10k_floor t
USING (SELECT customer_id, sum(weight * amount) AS total, sum(weight) AS sales
       FROM bench.floor_buffer GROUP BY customer_id) d
ON t.customer_id = d.customer_id
WHEN MATCHED AND t.sales + d.sales = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET total = t.total + d.total, sales = t.sales + d.sales
WHEN NOT MATCHED THEN INSERT VALUES (d.customer_id, d.total, d.sales)
""",
    "join": f"""
MERGE INTO bench.join_floor t
USING (SELECT d.*, c.name, c.tier FROM ({_LAST}) d JOIN bench.customers c ON c.id = d.customer_id) d ON t.id = d.id
WHEN MATCHED AND d.weight < 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET amount = d.amount, quantity = d.quantity, name = d.name, tier = d.tier
WHEN NOT MATCHED AND d.weight > 0 THEN INSERT VALUES (d.id, d.amount, d.quantity, d.name, d.tier)
""",
    "join_agg": """
MERGE INTO bench.join_agg_floor t
USING (SELECT c.id, c.name, d.total, d.sales
       FROM (SELECT customer_id, sum(weight * amount) AS total, sum(weight) AS sales
             FROM bench.floor_buffer GROUP BY customer_id) d JOIN bench.customers c ON c.id = d.customer_id) d
ON t.id = d.id
WHEN MATCHED AND t.sales + d.sales = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET total = t.total + d.total, sales = t.sales + d.sales
WHEN NOT MATCHED THEN INSERT VALUES (d.id, d.name, d.total, d.sales)
""",
}

# Below this, deleting the rows of a table is quicker than giving it a new file; and TRUNCATE looks at every shared
# buffer, which would leave whoever is timed next a cold cache.
_TRUNCATE_ROWS = 2_000


def create_capture(conn: Connection[Any]) -> None:
    conn.execute(_CAPTURE)


def fill_buffer(conn: Connection[Any], seen: int) -> int:
    """Give the next apply a buffer of its own, as its trigger would have left it, with what came after change `seen`.

    Returns the number of the last change captured.
    """
    _empty(conn, sql.Identifier("bench", "floor_buffer"))
    conn.execute("INSERT INTO bench.floor_buffer SELECT * FROM bench.floor_captured WHERE n > %s ORDER BY n", (seen,))
    (last,) = conn.execute("SELECT coalesce(max(n), %s) FROM bench.floor_captured", (seen,)).fetchone() or (seen,)
    return int(last)


def apply(conn: Connection[Any], shape_name: str) -> None:
    """Merge the buffer into the result and empty it, in one transaction."""
    with conn.transaction():
        conn.execute(sql.SQL(APPLY[shape_name]))
        _empty(conn, sql.Identifier("bench", "floor_buffer"))


def forget_captured(conn: Connection[Any]) -> None:
    _empty(conn, sql.Identifier("bench", "floor_captured"))


def _empty(conn: Connection[Any], table: sql.Identifier) -> None:
    count = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT %s) x").format(table)
    (rows,) = conn.execute(count, (_TRUNCATE_ROWS,)).fetchone() or (0,)
    conn.execute(sql.SQL("TRUNCATE {}" if rows >= _TRUNCATE_ROWS else "DELETE FROM {}").format(table))
