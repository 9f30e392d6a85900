"""What creating and compiling a stream table reads of catalogs in which thousands of others have left their objects.

They would catch: a look at what belongs to one stream table that reads what belongs to all, so that the ten thousandth
takes a hundred times as long as the first; a plan for millions of rows where a handful come.
"""

from __future__ import annotations

from typing import Any

import psycopg
from support.databases import Database

from trickle.catalog.install import compile_and_install
from trickle.sql import load

Connection = psycopg.Connection[Any]

CATALOGS = ("pg_class", "pg_depend", "pg_proc", "pg_trigger", "pgt_change_tracking")
MANY = 2000
# Of each as many as so many stream tables have, by names of the same kind.
OBJECTS = f"""
DO $do$
BEGIN
    FOR n IN 1000000..1000000 + {MANY} LOOP
        EXECUTE format('CREATE FUNCTION pgtrickle_changes.capture_%s_insert() RETURNS trigger LANGUAGE plpgsql '
                       'AS ''BEGIN RETURN NULL; END''', n);
        EXECUTE format('CREATE FUNCTION pgtrickle_programs.full_%s() RETURNS int LANGUAGE sql RETURN 1', n);
        EXECUTE format('CREATE TABLE pgtrickle_changes.changes_%s (xid xid8)', n);
        EXECUTE format('CREATE TRIGGER " pgt_capture_insert" AFTER INSERT ON pgtrickle_changes.changes_%1$s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION pgtrickle_changes.capture_%1$s_insert()', n);
    END LOOP;
END $do$;
INSERT INTO pgtrickle.pgt_change_tracking (source_relid, source_schema, source_name)
SELECT 10000000 + n, 'elsewhere', 'source_' || n FROM generate_series(1, {MANY}) n;
ANALYZE
"""
_COUNTED = (
    "SELECT relname::text, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_all_tables"
    " WHERE relname = ANY (%s)"
)


def rows_read_by_creating(db: Database, name: str) -> dict[str, int]:
    """Rows of catalogs that a session reads which has done nothing else."""
    with db.connect() as conn:
        conn.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, grp int, v int)".encode())
    query = f"SELECT grp, count(*) AS n, sum(v) AS total FROM {name} GROUP BY grp"
    with db.connect() as conn, conn.transaction():
        conn.execute("SELECT pgtrickle.create_stream_table(%s, %s, schedule => 'calculated')", (f"kept_{name}", query))
        return dict(conn.execute(_COUNTED, (list(CATALOGS),)).fetchall())


def rows_read_by_compiling(db: Database, name: str) -> dict[str, int]:
    """The same of a session that makes the program."""
    with db.connect() as conn, conn.transaction():
        row = conn.execute("SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = %s", (name,)).fetchone()
        assert row is not None
        assert compile_and_install(conn, row[0]).state == "compiled"
        return dict(conn.execute(_COUNTED, (list(CATALOGS),)).fetchall())


def test_creating_and_compiling_one_reads_nothing_of_the_others(db: Database) -> None:
    alone = rows_read_by_creating(db, "first"), rows_read_by_compiling(db, "kept_first")
    with db.connect() as conn:
        conn.execute(OBJECTS.encode())
    among_many = rows_read_by_creating(db, "second"), rows_read_by_compiling(db, "kept_second")
    for before, after in zip(alone, among_many, strict=True):
        assert set(after) >= set(before)
        assert all(after[name] < before.get(name, 0) + MANY for name in after), (alone, among_many)


def test_the_functions_of_a_query_are_expected_to_be_few(conn: Connection) -> None:
    body = load("runtime/_query_functions").split("$fn$")[1].replace("view_oid", "0::oid")
    with conn.transaction():
        conn.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        row = conn.execute(f"EXPLAIN (FORMAT JSON) {body}".encode()).fetchone()
    assert row is not None and row[0][0]["Plan"]["Plan Rows"] < 10_000
