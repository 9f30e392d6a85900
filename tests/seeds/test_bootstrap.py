"""Bootstrap of a replica and recovery to a point in time, as printed, on servers made for it. Oracle: the queries.

Catches: a frontier that is believed on a copy that never took the snapshot, or on a timeline that branched off
before it; and one that is not believed where it could be, so that everything is read again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.backup import base_backup, give_to, recover_to
from support.server import require_server
from support.waiting import until

from trickle import embedded
from trickle.catalog import migrate
from trickle.catalog.install import compile_and_install

from .pages import Printed

Connection = psycopg.Connection[Any]
AGGREGATE = "SELECT customer_id, sum(amount) AS total, count(*) AS cnt FROM orders GROUP BY customer_id"
OWNER = "app"


def prepare(url: str) -> None:
    """The catalog, a source with rows, and a stream table over it, as on any server of the application."""
    migrate.init(url)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE orders (id int PRIMARY KEY, customer_id int, amount numeric)")
        conn.execute("INSERT INTO orders SELECT i, i % 100, i FROM generate_series(1, 5000) i")
        conn.execute(
            "SELECT pgtrickle.create_stream_table('public.orders_agg', %s, refresh_mode => 'DIFFERENTIAL')",
            (AGGREGATE,),
        )
        conn.execute("SELECT pgtrickle.create_stream_table('grand', 'SELECT sum(total) AS total FROM orders_agg')")
        for (pgt_id,) in conn.execute("SELECT pgt_id FROM pgtrickle.pgt_stream_tables ORDER BY pgt_id").fetchall():
            compile_and_install(conn, pgt_id)
            conn.execute("SELECT pgtrickle._refresh(%s)", (pgt_id,))


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[embedded.Server]:
    require_server()
    settings: dict[str, embedded.Setting] = {"fsync": False, "wal_keep_size": "256MB"}
    server = embedded.start(tmp_path / "primary", settings=settings, die_with_parent=True)
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {OWNER} LOGIN")
        for name in ("mydb", "replica_db"):
            admin.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    prepare(server.url("mydb", user=OWNER))
    yield server
    embedded.stop(tmp_path / "primary", "immediate")


@contextmanager
def started(directory: Path) -> Iterator[embedded.Server]:
    server = embedded.start(directory, settings={"fsync": False}, die_with_parent=True)
    try:
        yield server
    finally:
        embedded.stop(directory, "immediate")


@contextmanager
def connected(server: embedded.Server, database: str = "mydb") -> Iterator[Connection]:
    with psycopg.connect(server.url(database, user=OWNER), autocommit=True) as conn:
        yield conn


def next_action(conn: Connection) -> str:
    row = conn.execute(
        "SELECT r.action FROM pgtrickle.pgt_stream_tables s, pgtrickle._refresh(s.pgt_id) r"
        " WHERE pgt_name = 'orders_agg'"
    ).fetchone()
    assert row is not None
    return str(row[0])


def is_equal(conn: Connection, name: str) -> bool:
    row = conn.execute("SELECT equal AND NOT pending FROM pgtrickle.verify(%s)", (name,)).fetchone()
    return row == (True,)


def shell(command: str, server: embedded.Server) -> None:
    """Run a command of the page where `mydb` and `replica_db` are what it says."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "PATH": f"{Path(embedded.tool('pg_dump')).parent}:{os.environ['PATH']}",
        "PGHOST": str(server.socket_dir),
        "PGPORT": str(server.port),
        "PGUSER": OWNER,
    }
    made = subprocess.run(["bash", "-o", "pipefail", "-c", command], env=environment, capture_output=True, text=True)
    # A newer pg_dump sets a parameter that servers before 17 do not know.
    errors = [line for line in made.stderr.splitlines() if "ERROR" in line and "transaction_timeout" not in line]
    assert made.returncode == 0 and not errors, made.stderr


def test_a_replica_is_bootstrapped_as_printed(primary: embedded.Server) -> None:
    """By a dump into another database: the rows are right at once; the frontier means nothing and is not believed."""
    prepare(primary.url("replica_db", user=OWNER))
    with connected(primary) as here, connected(primary, "replica_db") as there:
        on_primary = Printed("patterns", "replica bootstrap", here)
        on_replica = Printed("patterns", "replica bootstrap", there)
        assert on_primary.row("snapshot") == {"snapshot_stream_table": "pgtrickle.orders_agg_replica_init"}
        shell(on_primary.text("dump"), primary)
        there.execute("DELETE FROM orders WHERE id <= 10")
        next_action(there)
        on_replica.run("restore")
        rows = "SELECT * FROM orders_agg ORDER BY customer_id"
        assert there.execute(rows).fetchall() == here.execute(rows).fetchall()
        assert next_action(there) == "FULL"
        assert is_equal(there, "orders_agg") and is_equal(there, "grand")
        on_replica.run("drop")
        assert there.execute("SELECT to_regclass('pgtrickle.orders_agg_replica_init')").fetchone() == (None,)

        here.execute("INSERT INTO orders VALUES (9001, 7, 1)")
        on_primary.run("restore")
        assert next_action(here) == "DIFFERENTIAL"
        assert is_equal(here, "orders_agg") and is_equal(here, "grand")
        on_primary.run("drop")
        on_primary.assert_all_run()


def test_a_physical_copy_goes_on_from_a_snapshot_it_has_taken_itself(primary: embedded.Server, tmp_path: Path) -> None:
    with connected(primary) as here:
        here.execute("SELECT pgtrickle.snapshot_stream_table('orders_agg', 'pgtrickle.before')")
        base_backup(primary, tmp_path / "replica", follows=True)
        # Taken after the copy was made: the copy does not follow any more when it is put there.
        here.execute("INSERT INTO orders VALUES (9001, 7, 1)")
        next_action(here)
    with started(tmp_path / "replica") as copy:
        with psycopg.connect(copy.url(), autocommit=True) as admin:
            admin.execute("SELECT pg_promote()")
        with connected(copy) as there, connected(primary) as here:
            # The same transaction ids now stand for other things on either side.
            there.execute("DELETE FROM orders WHERE id = 1")
            here.execute("UPDATE orders SET amount = amount + 1 WHERE id < 50")
            next_action(here)
            here.execute("SELECT pgtrickle.snapshot_stream_table('orders_agg', 'pgtrickle.after')")
            carried = ["pg_dump -t pgtrickle.after mydb", f"psql -h {copy.socket_dir} -p {copy.port} mydb"]
            shell(" | ".join(carried), primary)
            judged = "SELECT snapshot_table, next_refresh, reason FROM pgtrickle.list_snapshots() ORDER BY 1"
            after, before = there.execute(judged).fetchall()
            assert after[:2] == ("pgtrickle.after", "FULL") and "timeline" in after[2]
            assert before == ("pgtrickle.before", "DIFFERENTIAL", None)
            there.execute("SELECT pgtrickle.restore_from_snapshot('orders_agg', 'pgtrickle.before')")
            assert next_action(there) == "DIFFERENTIAL"
            assert is_equal(there, "orders_agg") and is_equal(there, "grand")
            there.execute("SELECT pgtrickle.restore_from_snapshot('orders_agg', 'pgtrickle.after')")
            assert next_action(there) == "FULL"
            assert is_equal(there, "orders_agg") and is_equal(there, "grand")


def test_recovery_to_a_point_in_time_as_printed(primary: embedded.Server, tmp_path: Path) -> None:
    data = base_backup(primary, tmp_path / "recovered")
    with connected(primary) as here, psycopg.connect(primary.url(), autocommit=True) as admin:
        page = Printed("patterns", "recovery", here)
        taken = [row["snapshot_stream_table"] for row in page.run("snapshot")]
        assert len(taken) == 2
        (epoch,) = {name.rsplit("_", 1)[1] for name in taken}
        here.execute("INSERT INTO orders VALUES (9001, 7, 1)")
        here.execute("DELETE FROM orders WHERE id < 20")
        assert next_action(here) == "DIFFERENTIAL"
        (target,) = admin.execute("SELECT pg_current_wal_lsn()::text").fetchone() or ()
        # What came after the target is lost, a refresh and a snapshot included.
        here.execute("TRUNCATE orders")
        next_action(here)
        here.execute("SELECT pgtrickle.snapshot_stream_table('orders_agg', 'pgtrickle.too_late')")
        admin.execute("SELECT pg_switch_wal()")
        pgdata = next(primary.data_dir.rglob("PG_VERSION")).parent
        wal = tmp_path / "wal"
        until(lambda: admin.execute("SELECT pg_current_wal_lsn() > %s::pg_lsn", (target,)).fetchone() == (True,))
        shutil.copytree(pgdata / "pg_wal", wal)
        tmp_path.chmod(0o755)
        give_to(wal, pgdata.stat())
        recover_to(data, wal, target)
        with started(tmp_path / "recovered") as server:
            with psycopg.connect(server.url(), autocommit=True) as waiting:
                in_recovery = "SELECT pg_is_in_recovery()"
                until(lambda: waiting.execute(in_recovery).fetchone() == (False,), seconds=30)
            carried = ["pg_dump -t pgtrickle.too_late mydb", f"psql -h {server.socket_dir} -p {server.port} mydb"]
            shell(" | ".join(carried), primary)
            with connected(server) as there:
                assert there.execute("SELECT count(*) FROM orders").fetchone() == (5000 + 1 - 19,)
                there.execute("INSERT INTO orders VALUES (9002, 8, 1)")
                after = Printed("patterns", "recovery", there)
                after.run("restore", epoch=epoch)
                assert next_action(there) == "DIFFERENTIAL"
                assert is_equal(there, "orders_agg") and is_equal(there, "grand")
                there.execute("SELECT pgtrickle.restore_from_snapshot('orders_agg', 'pgtrickle.too_late')")
                assert there.execute("SELECT count(*) FROM orders_agg").fetchone() == (0,)
                assert next_action(there) == "FULL"
                assert is_equal(there, "orders_agg") and is_equal(there, "grand")
