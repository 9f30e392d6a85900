"""A snapshot put back goes on where it was taken; where that cannot be known everything is compared. Oracle: the query.

Catches: a frontier that is believed though its changes are gone or belong to another history; hidden columns or tables
of the program that do not fit the rows; a reader below that misses what a restore changed.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest
from psycopg import errors
from support.databases import Database

from trickle.catalog.install import compile_and_install

from .conftest import Connection, is_equal, one, outcome

GROUPS = "SELECT customer, sum(amount) AS total, count(*) AS n FROM orders GROUP BY customer"
DISTINCT = "SELECT customer % 2 AS half, count(DISTINCT note) AS notes, max(amount) AS most FROM orders GROUP BY 1"


def create(conn: Connection, name: str, query: str, **options: object) -> None:
    options = {"refresh_mode": "DIFFERENTIAL", **options}
    given = "".join(f", {key} => '{value}'" for key, value in options.items())
    conn.execute(f"SELECT pgtrickle.create_stream_table('{name}', $q${query}$q${given})".encode())
    compile_and_install(conn, one(conn, "SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = %s", name))
    outcome(conn, name)


def next_refresh(conn: Connection) -> tuple[str, str | None]:
    row = conn.execute("SELECT next_refresh, reason FROM pgtrickle.list_snapshots()").fetchone()
    assert row is not None
    return row[0], row[1]


def prune(conn: Connection) -> None:
    conn.execute("SELECT pgtrickle._prune(source_id) FROM pgtrickle.pgt_change_tracking")


@pytest.fixture
def totals(orders: Connection) -> Connection:
    """A stream table with groups and its snapshot; two rows of its source have changed and been consumed since."""
    create(orders, "totals", GROUPS)
    orders.execute("SELECT pgtrickle.snapshot_stream_table('totals', 'kept')")
    orders.execute("INSERT INTO orders VALUES (10, 1, 100)")
    orders.execute("DELETE FROM orders WHERE id = 1")
    outcome(orders, "totals")
    return orders


@pytest.mark.parametrize("query", [GROUPS, DISTINCT, "SELECT note FROM orders", "SELECT DISTINCT customer FROM orders"])
def test_the_next_refresh_takes_what_changed_since(orders: Connection, query: str) -> None:
    create(orders, "t", query)
    before = orders.execute("SELECT * FROM t ORDER BY t").fetchall()
    name = one(orders, "SELECT pgtrickle.snapshot_stream_table('t')")
    assert name.startswith("pgtrickle.snapshot_public_t_")
    orders.execute("INSERT INTO orders VALUES (10, 1, 100, 'n1'), (11, 7, 1, 'new')")
    orders.execute("DELETE FROM orders WHERE id = 1")
    outcome(orders, "t")
    prune(orders)
    orders.execute("VACUUM (ANALYZE, FREEZE)")
    orders.execute("UPDATE orders SET amount = 5, note = 'x' WHERE id = 2")
    assert next_refresh(orders) == ("DIFFERENTIAL", None)
    orders.execute("SELECT pgtrickle.restore_from_snapshot('t', %s)", (name,))
    assert orders.execute("SELECT * FROM t ORDER BY t").fetchall() == before
    assert outcome(orders, "t")[0] == "DIFFERENTIAL"
    assert is_equal(orders, "t")
    orders.execute("SELECT pgtrickle.drop_snapshot(%s)", (name,))
    assert one(orders, "SELECT count(*) FROM pgtrickle.list_snapshots()") == 0
    assert one(orders, "SELECT count(*) FROM pg_class WHERE relname LIKE 'snapshot%'") == 0


def test_what_it_is_said_to_hold(totals: Connection) -> None:
    found = totals.execute("SELECT * FROM pgtrickle.list_snapshots('totals')").fetchone()
    assert found is not None
    table, _, rows, frontier, size, stream_table, following, reason = found
    assert (table, rows, stream_table, following, reason) == ("public.kept", 3, "public.totals", "DIFFERENTIAL", None)
    assert set(frontier) == {"snapshot", "own_xid", "own_seq"} and size > 0
    assert totals.execute("SELECT * FROM pgtrickle.list_snapshots('other')").fetchall() == []
    with pytest.raises(errors.DuplicateTable, match="snapshot already exists: kept"):
        totals.execute("SELECT pgtrickle.snapshot_stream_table('totals', 'kept')")


def test_one_without_rows_is_put_back(orders: Connection) -> None:
    create(orders, "none", "SELECT id FROM orders WHERE id < 0")
    orders.execute("SELECT pgtrickle.snapshot_stream_table('none', 'kept')")
    orders.execute("INSERT INTO orders VALUES (-1)")
    outcome(orders, "none")
    orders.execute("SELECT pgtrickle.restore_from_snapshot('none', 'kept')")
    assert one(orders, "SELECT count(*) FROM none") == 0
    assert outcome(orders, "none")[:2] == ("DIFFERENTIAL", 1)


def test_changes_are_kept_for_it_only_so_long(totals: Connection) -> None:
    prune(totals)
    assert next_refresh(totals) == ("DIFFERENTIAL", None)
    totals.execute("SELECT pgtrickle.set_config('snapshot_hold_hours', '0')")
    prune(totals)
    following, reason = next_refresh(totals)
    assert following == "FULL" and reason and "removed" in reason
    totals.execute("SELECT pgtrickle.restore_from_snapshot('totals', 'kept')")
    assert outcome(totals, "totals")[0] == "FULL"
    assert is_equal(totals, "totals")


def test_the_pruner_waits_for_a_restore(db: Database, totals: Connection) -> None:
    """It would see the frontier as it was, and take away what the restored one is going to need."""
    totals.execute("SELECT pgtrickle.set_config('snapshot_hold_hours', '0')")
    with db.connect(autocommit=False) as restorer:
        restorer.execute("SELECT pgtrickle.restore_from_snapshot('totals', 'kept')")
        prune(totals)
        restorer.commit()
    assert outcome(totals, "totals")[0] == "DIFFERENTIAL"
    assert is_equal(totals, "totals")


def test_a_buffer_that_overflows_is_not_held(totals: Connection) -> None:
    totals.execute("SELECT pgtrickle.set_config('max_buffer_rows', '1')")
    prune(totals)
    assert next_refresh(totals) == ("DIFFERENTIAL", None), "for this time it is only let go"
    prune(totals)
    assert next_refresh(totals)[0] == "FULL"
    totals.execute("SELECT pgtrickle.restore_from_snapshot('totals', 'kept')")
    assert is_equal(totals, "totals")


def test_a_dropped_one_keeps_nothing(totals: Connection) -> None:
    totals.execute("DROP TABLE kept")
    prune(totals)
    source = one(totals, "SELECT source_id FROM pgtrickle.pgt_change_tracking")
    assert one(totals, f"SELECT count(*) FROM pgtrickle_changes.changes_{source}") == 0
    totals.execute("SELECT pgtrickle.drop_snapshot('kept')")
    assert one(totals, "SELECT count(*) FROM pgtrickle.pgt_snapshots") == 0


@pytest.mark.parametrize(
    "change",
    [
        "CREATE INDEX ON orders (customer)",
        "TRUNCATE orders",
        "ALTER TABLE orders DISABLE TRIGGER ALL; DELETE FROM orders WHERE id = 3;"
        " ALTER TABLE orders ENABLE TRIGGER ALL",
        "SELECT pgtrickle.alter_stream_table('totals', query => 'SELECT customer, sum(amount + 1) AS total,"
        " count(*) AS n FROM orders GROUP BY customer')",
    ],
)
def test_what_changed_of_its_basis_is_noticed(db: Database, totals: Connection, change: str) -> None:
    """By a full refresh where the frontier cannot tell, by a marker where it can."""
    with db.superuser() as admin:
        admin.execute("SET ROLE app_owner" if "DISABLE" not in change else "SELECT")
        admin.execute(change.encode())
    outcome(totals, "totals")
    compile_and_install(totals, 1)
    outcome(totals, "totals")
    totals.execute("SELECT pgtrickle.restore_from_snapshot('totals', 'kept')")
    assert outcome(totals, "totals")[0] == "FULL"
    assert is_equal(totals, "totals")


def test_a_database_that_was_restored_believes_none(totals: Connection) -> None:
    """As after pg_restore: the rows of pgt_snapshots came along, and tell of another history."""
    totals.execute("SELECT pgtrickle.restore_stream_tables()")
    following, reason = next_refresh(totals)
    assert following == "FULL" and reason == "it was taken before this database was restored or copied"
    outcome(totals, "totals")
    totals.execute("SELECT pgtrickle.restore_from_snapshot('totals', 'kept')")
    assert outcome(totals, "totals")[0] == "FULL"
    assert is_equal(totals, "totals")


def test_another_shape_is_refused(totals: Connection) -> None:
    totals.execute("SELECT pgtrickle.alter_stream_table('totals', query => 'SELECT customer FROM orders')")
    with pytest.raises(errors.InvalidObjectDefinition, match="does not fit"):
        totals.execute("SELECT pgtrickle.restore_from_snapshot('totals', 'kept')")


def test_one_of_another_stream_table_is_not_believed(totals: Connection) -> None:
    create(totals, "twin", GROUPS)
    totals.execute("SELECT pgtrickle.restore_from_snapshot('twin', 'kept')")
    assert outcome(totals, "twin")[0] == "FULL"
    assert is_equal(totals, "twin")


def test_readers_below_see_what_a_restore_changed(totals: Connection) -> None:
    create(totals, "grand", "SELECT sum(total) AS total, sum(n) AS n FROM totals")
    totals.execute("SELECT pgtrickle.restore_from_snapshot('totals', 'kept')")
    assert outcome(totals, "grand")[0] == "DIFFERENTIAL"
    assert is_equal(totals, "grand")
    assert outcome(totals, "totals")[0] == "DIFFERENTIAL"
    assert outcome(totals, "grand")[0] == "DIFFERENTIAL"
    assert is_equal(totals, "grand")


def test_one_in_partitions_over_a_source_that_is_polled(orders: Connection) -> None:
    orders.execute("CREATE MATERIALIZED VIEW seen AS SELECT id, customer FROM orders")
    create(orders, "parts", "SELECT customer, count(*) AS n FROM seen GROUP BY 1", partition_by="HASH:customer:3")
    orders.execute("SELECT pgtrickle.snapshot_stream_table('parts', 'kept')")
    orders.execute("DELETE FROM orders WHERE id < 4")
    orders.execute("REFRESH MATERIALIZED VIEW seen")
    outcome(orders, "parts")
    assert next_refresh(orders) == ("DIFFERENTIAL", None)
    orders.execute("SELECT pgtrickle.restore_from_snapshot('parts', 'kept')")
    assert one(orders, "SELECT sum(n) FROM parts") == 9
    assert outcome(orders, "parts")[0] == "DIFFERENTIAL"
    assert is_equal(orders, "parts")


def test_a_clerk_may_not(db: Database, totals: Connection) -> None:
    clerk = db.create_role()
    totals.execute(
        f"GRANT USAGE ON SCHEMA pgtrickle TO {clerk}; GRANT SELECT ON ALL TABLES IN SCHEMA pgtrickle TO {clerk}"
    )
    totals.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgtrickle TO {clerk}".encode())
    with db.connect_as(clerk) as stranger:
        for call in ("snapshot_stream_table('totals', 'mine')", "restore_from_snapshot('totals', 'kept')"):
            with pytest.raises(errors.InsufficientPrivilege, match="must be owner"):
                stranger.execute(f"SELECT pgtrickle.{call}".encode())
        with pytest.raises(errors.InsufficientPrivilege):
            stranger.execute("SELECT pgtrickle.drop_snapshot('kept')")


def test_among_writers_and_refreshes_at_work(db: Database, orders: Connection) -> None:
    """Snapshots are taken, put back and pruned while others write and refresh; in the end all is equal."""
    create(orders, "busy", DISTINCT)
    over = threading.Event()
    failures: list[BaseException] = []

    def keep(action: Callable[[Connection, random.Random], None], seed: int) -> None:
        draw = random.Random(seed)
        with db.connect() as conn:
            while not over.is_set():
                try:
                    action(conn, draw)
                except (errors.SerializationFailure, errors.DeadlockDetected):
                    continue
                except BaseException as error:
                    failures.append(error)
                    over.set()

    def write(conn: Connection, draw: random.Random) -> None:
        with conn.transaction():
            for _ in range(draw.randrange(1, 4)):
                number = draw.randrange(40)
                conn.execute("DELETE FROM orders WHERE id = %s", (number,))
                row = (number, draw.randrange(5), draw.randrange(9), f"n{draw.randrange(4)}")
                conn.execute("INSERT INTO orders VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING", row)

    def refresh(conn: Connection, draw: random.Random) -> None:
        outcome(conn, "busy")

    def restore(conn: Connection, draw: random.Random) -> None:
        conn.execute("SELECT pgtrickle.snapshot_stream_table('busy', 'kept')")
        time.sleep(draw.random() / 20)
        if draw.randrange(2):
            prune(conn)
        conn.execute("SELECT pgtrickle.restore_from_snapshot('busy', 'kept')")
        conn.execute("SELECT pgtrickle.drop_snapshot('kept')")

    threads = [
        threading.Thread(target=keep, args=(action, seed))
        for seed, action in enumerate((write, write, refresh, restore))
    ]
    for thread in threads:
        thread.start()
    over.wait(4)
    over.set()
    for thread in threads:
        thread.join()
    assert not failures, failures
    restored = (
        "SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE action = 'RESTORE' AND reason LIKE '%differential'"
    )
    assert one(orders, restored) > 3
    outcome(orders, "busy")
    assert is_equal(orders, "busy")


def test_an_immediate_reader_follows_a_restore_in_its_transaction(totals: Connection) -> None:
    create(totals, "live", "SELECT sum(total) AS total, count(*) AS groups FROM totals", refresh_mode="IMMEDIATE")
    now = one(totals, "SELECT total FROM live")
    with totals.transaction():
        totals.execute("SELECT pgtrickle.restore_from_snapshot('totals', 'kept')")
        then = one(totals, "SELECT total FROM live")
        assert then == one(totals, "SELECT sum(total) FROM totals") != now
    outcome(totals, "totals")
    assert one(totals, "SELECT total FROM live") == now
    assert is_equal(totals, "live")


def test_an_immediate_one_never_shows_the_past(orders: Connection) -> None:
    create(orders, "live", GROUPS, refresh_mode="IMMEDIATE")
    orders.execute("SELECT pgtrickle.snapshot_stream_table('live', 'kept')")
    orders.execute("INSERT INTO orders VALUES (10, 1, 100)")
    orders.execute("SELECT pgtrickle.restore_from_snapshot('live', 'kept')")
    assert is_equal(orders, "live")
    orders.execute("DELETE FROM orders WHERE id = 1")
    assert is_equal(orders, "live")


def test_only_snapshots_are_dropped_and_restored(totals: Connection) -> None:
    totals.execute('COMMENT ON TABLE orders IS \'{"all": "ours"}\'')
    for call in ("drop_snapshot('orders')", "restore_from_snapshot('totals', 'orders')"):
        with pytest.raises(errors.InvalidObjectDefinition, match="not a snapshot"):
            totals.execute(f"SELECT pgtrickle.{call}".encode())
    for call in ("drop_snapshot('nothing')", "restore_from_snapshot('totals', 'nothing')"):
        with pytest.raises(errors.UndefinedTable, match="snapshot not found"):
            totals.execute(f"SELECT pgtrickle.{call}".encode())
    totals.execute('COMMENT ON TABLE kept IS \'{"trickle_snapshot": "2"}\'')
    with pytest.raises(errors.InvalidObjectDefinition, match="version 2"):
        totals.execute("SELECT pgtrickle.restore_from_snapshot('totals', 'kept')")


@pytest.mark.parametrize(
    "write", ["UPDATE kept SET n = 0", "DELETE FROM kept", "TRUNCATE kept", "INSERT INTO kept VALUES (9)"]
)
def test_its_rows_belong_to_its_frontier(totals: Connection, write: str) -> None:
    with pytest.raises(errors.WrongObjectType, match="cannot change snapshot"):
        totals.execute(write.encode())


def test_its_program_s_tables_go_with_the_stream_table(orders: Connection) -> None:
    create(orders, "t", DISTINCT)
    orders.execute("SELECT pgtrickle.snapshot_stream_table('t', 'kept')")
    orders.execute("SELECT pgtrickle.drop_stream_table('t')")
    kept = "SELECT count(*) FROM pg_class WHERE relname ~ '^snapshot_[0-9]+_state_'"
    assert one(orders, kept) == 0
    create(orders, "t", DISTINCT)
    orders.execute("SELECT pgtrickle.restore_from_snapshot('t', 'kept')")
    assert outcome(orders, "t")[0] == "FULL"
    assert is_equal(orders, "t")


def test_a_refresh_waits_for_a_snapshot(db: Database, totals: Connection) -> None:
    """What it copies in several statements belongs to one moment."""
    with db.connect(autocommit=False) as taker:
        taker.execute("SELECT pgtrickle.snapshot_stream_table('totals', 'second')")
        totals.execute("INSERT INTO orders VALUES (20, 2, 7)")
        totals.execute("SET lock_timeout = '200ms'")
        with pytest.raises(errors.LockNotAvailable):
            outcome(totals, "totals")
        taker.commit()
    outcome(totals, "totals")
    totals.execute("SELECT pgtrickle.restore_from_snapshot('totals', 'second')")
    assert is_equal(totals, "totals")


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_in_between(orders: Connection, seed: int) -> None:
    """Random writes, refreshes, snapshots, pruning and restores, in two layers."""
    draw = random.Random(seed)
    create(orders, "low", DISTINCT if seed % 2 else GROUPS)
    create(orders, "high", "SELECT count(*) AS n FROM low")
    kept: list[tuple[str, str]] = []
    for step in range(60):
        match draw.randrange(9):
            case 0 | 1:
                orders.execute(
                    "INSERT INTO orders VALUES (%s, %s, %s, %s)",
                    (100 + step, draw.randrange(5), draw.randrange(9), f"n{draw.randrange(4)}"),
                )
            case 2:
                orders.execute("DELETE FROM orders WHERE id %% 7 = %s", (draw.randrange(7),))
            case 3:
                orders.execute("UPDATE orders SET amount = amount + 1 WHERE id %% 3 = %s", (draw.randrange(3),))
            case 4 | 5:
                outcome(orders, draw.choice(("low", "high")))
            case 6:
                name = draw.choice(("low", "high"))
                orders.execute("SELECT pgtrickle.snapshot_stream_table(%s, %s)", (name, f"kept_{step}"))
                kept.append((name, f"kept_{step}"))
            case 7:
                orders.execute(
                    "SELECT pgtrickle.set_config('snapshot_hold_hours', %s)", (draw.choice(("0", "24", "24")),)
                )
                prune(orders)
            case _ if kept:
                orders.execute("SELECT pgtrickle.restore_from_snapshot(%s, %s)", draw.choice(kept))
    outcome(orders, "low")
    outcome(orders, "high")
    assert is_equal(orders, "low") and is_equal(orders, "high")
