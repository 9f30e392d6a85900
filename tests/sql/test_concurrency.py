"""Creating, pruning, refreshing and dropping while others write: nothing is lost, nothing counted twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from psycopg import errors
from support.databases import Database
from support.waiting import until

from trickle.catalog.install import compile_and_install

from .conftest import Connection, is_equal, one

QUERY = "SELECT customer, count(*) AS n, sum(amount) AS s FROM orders GROUP BY customer"
PASSING = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)


@contextmanager
def busy(*works: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run each function in a thread until the block ends; an exception in one fails the test."""
    stop, failures = threading.Event(), list[BaseException]()

    def run(work: Callable[[threading.Event], None]) -> None:
        try:
            work(stop)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


def writer(db: Database, seed: int) -> Callable[[threading.Event], None]:
    """Short transactions of one to three random statements, some rolled back."""

    def work(stop: threading.Event) -> None:
        dice = random.Random(seed)
        with db.connect(autocommit=False) as connection:
            while not stop.is_set():
                for _ in range(dice.randint(1, 3)):
                    low = dice.randint(0, 900)
                    connection.execute(
                        dice.choice(
                            [
                                "INSERT INTO orders SELECT i, %(n)s, i FROM generate_series(%(low)s, %(low)s + 9) i"
                                " ON CONFLICT (id) DO UPDATE SET amount = orders.amount + 1",
                                "UPDATE orders SET amount = amount + 1 WHERE id = %(low)s",
                                "DELETE FROM orders WHERE id BETWEEN %(low)s AND %(low)s + 5",
                            ]
                        ).encode(),
                        {"low": low, "n": dice.randint(0, 5)},
                    )
                if dice.random() < 0.2:
                    connection.rollback()
                else:
                    try:
                        connection.commit()
                    except PASSING:
                        connection.rollback()

    def patient(stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                work(stop)
            except PASSING:
                continue

    return patient


def again(connection: Connection, statement: str) -> None:
    """Execute a statement until no lock stands in its way."""
    while True:
        try:
            connection.execute(statement.encode())
        except PASSING:
            continue
        return


def pruner(db: Database) -> Callable[[threading.Event], None]:
    def work(stop: threading.Event) -> None:
        with db.connect() as connection:
            while not stop.wait(0.01):
                connection.execute("SELECT pgtrickle._prune(source_id) FROM pgtrickle.pgt_change_tracking")

    return work


@pytest.mark.slow
def test_everything_at_once(db: Database, orders: Connection) -> None:
    again(orders, f"SELECT pgtrickle.create_stream_table('standing', '{QUERY}')")
    with busy(writer(db, 1), writer(db, 2), writer(db, 3), pruner(db)):
        for round_number in range(5):
            name = f"t{round_number}"
            again(orders, f"SELECT pgtrickle.create_stream_table('{name}', '{QUERY}')")
            for _ in range(4):
                again(orders, "SELECT pgtrickle.refresh_stream_table('standing')")
                again(orders, f"SELECT pgtrickle.refresh_stream_table('{name}')")
            if round_number % 2:
                again(orders, f"SELECT pgtrickle.drop_stream_table('{name}')")
    for name in ("standing", "t0", "t2", "t4"):
        assert one(orders, "SELECT equal AND NOT pending FROM pgtrickle.verify(%s)", name)
    # What was captured since the beginning of the last fill is what the source gained since: replay tells.
    assert is_equal(orders, "standing")


@pytest.mark.slow
def test_the_buffer_holds_exactly_what_the_frontier_lacks(db: Database, orders: Connection) -> None:
    """The fill plus the changes that are new to its frontier is the source, whatever was open at creation."""
    with busy(writer(db, 4), writer(db, 5), writer(db, 6)):
        again(orders, "SELECT pgtrickle.create_stream_table('copy', 'SELECT id, customer, amount FROM orders')")
        for _ in range(200):
            orders.execute("SELECT 1")
    source = one(orders, "SELECT source_id FROM pgtrickle.pgt_change_tracking")
    difference = f"""
        WITH f AS (SELECT * FROM pgtrickle.pgt_frontiers),
        replayed AS (
            SELECT id, customer, amount, 1 AS w FROM copy
            UNION ALL
            SELECT c1, c2, c3, weight FROM pgtrickle_changes.changes_{source} x, f
            WHERE pgtrickle.is_new(x.xid, x.seq, f.snapshot, f.own_xid, f.own_seq)
            UNION ALL
            SELECT id, customer, amount, -1 FROM orders)
        SELECT count(*) FROM (
            SELECT FROM replayed GROUP BY id, customer, amount HAVING sum(w) <> 0) d
    """
    assert one(orders, difference) == 0


def test_creators_of_the_same_sources_do_not_deadlock(db: Database, orders: Connection) -> None:
    orders.execute("CREATE TABLE lines (id int, order_id int)")

    def create(name: str) -> Callable[[threading.Event], None]:
        def work(_: threading.Event) -> None:
            with db.connect() as connection:
                again(
                    connection,
                    f"SELECT pgtrickle.create_stream_table('{name}',"
                    " 'SELECT l.id, o.amount FROM lines l JOIN orders o ON o.id = l.order_id')",
                )

        return work

    with busy(*(create(f"t{number}") for number in range(4))):
        pass
    assert one(orders, "SELECT count(*) FROM pgtrickle.pgt_change_tracking") == 2
    orders.execute("INSERT INTO lines VALUES (1, 1)")
    for number in range(4):
        assert is_equal(orders, f"t{number}")


def test_whoever_creates_over_a_stream_table_and_its_compilation_do_not_deadlock(
    db: Database, orders: Connection
) -> None:
    """Both want more of the storage than they hold: one to capture it, the other to declare a column NOT NULL."""
    orders.execute(f"SELECT pgtrickle.create_stream_table('t', '{QUERY.replace('customer', 'id')}')".encode())
    outcomes: list[str] = []

    def compilation(_: threading.Event) -> None:
        with db.connect() as connection:
            outcomes.append(compile_and_install(connection, 1).state)

    def waits() -> bool:
        return one(orders, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")

    with db.connect(autocommit=False) as creator, db.connect(autocommit=False) as blocker:
        blocker.execute("SELECT FROM pgtrickle.pgt_frontiers FOR UPDATE")
        with busy(compilation):
            until(waits)  # for the frontier, before the fill
            creator.execute("SELECT FROM t")
            blocker.rollback()
            until(lambda: one(orders, "SELECT program_state = 'compiled' FROM pgtrickle.pgt_stream_tables") or waits())
            creator.execute("SELECT pgtrickle.create_stream_table('over', 'SELECT id, n FROM t')")
            creator.commit()
    assert outcomes == ["compiled"]
    assert one(orders, "SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'id'")
    assert is_equal(orders, "t")
    assert is_equal(orders, "over")


def test_one_name_is_created_once(db: Database, orders: Connection) -> None:
    outcomes: list[str] = []

    def work(_: threading.Event) -> None:
        with db.connect() as connection:
            try:
                connection.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM orders')")
                outcomes.append("created")
            except (errors.DuplicateTable, errors.UniqueViolation):
                outcomes.append("taken")

    with busy(work, work, work):
        pass
    assert sorted(outcomes) == ["created", "taken", "taken"]
    assert is_equal(orders, "t")


def test_two_refreshers_take_turns(db: Database, orders: Connection) -> None:
    orders.execute(f"SELECT pgtrickle.create_stream_table('t', '{QUERY}')".encode())
    orders.execute("DELETE FROM orders WHERE id < 5")

    def refresh(_: threading.Event) -> None:
        with db.connect() as connection:
            connection.execute("SELECT pgtrickle.refresh_stream_table('t')")

    with busy(refresh, refresh, refresh):
        pass
    assert is_equal(orders, "t")
