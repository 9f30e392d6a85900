"""Units on a running instance: a diamond is never seen split, a failing member undoes it, a chain goes in one step."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.waiting import until

import trickle

Start = Callable[..., Any]

DIAMOND = {
    "sums": "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer",
    "counts": "SELECT customer, count(*) AS n FROM orders GROUP BY customer",
    "pairs": "SELECT s.customer, s.total, c.n FROM sums s JOIN counts c USING (customer)",
}
# Every order is of one: whatever moment is looked at, these are equal.
SUMS = "(SELECT sum(total) FROM sums), (SELECT sum(n) FROM counts)"
PAIRS = "(SELECT sum(total) FROM pairs), (SELECT sum(n) FROM pairs)"
# Every stream table here has taken the last change: in how many transactions?
TRANSACTIONS = "SELECT count(DISTINCT own_xid::text) FROM pgtrickle.pgt_frontiers"


@pytest.fixture
def owner(db: Database) -> Iterator[psycopg.Connection[Any]]:
    with db.connect() as conn:
        conn.execute(
            "CREATE TABLE orders (id serial PRIMARY KEY, customer int NOT NULL, amount int NOT NULL DEFAULT 1)"
        )
        conn.execute("INSERT INTO orders (customer) SELECT i % 5 FROM generate_series(1, 20) i")
        yield conn


def create(db: Database, definitions: dict[str, str], **options: Any) -> None:
    with trickle.connect(db.url) as client:
        for name, query in definitions.items():
            client.create_stream_table(name, query, **options)


def value(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def pairs_are_fresh(conn: psycopg.Connection[Any]) -> bool:
    return bool(
        value(
            conn,
            "SELECT (SELECT sum(n) FROM pairs) = (SELECT count(*) FROM orders)"
            " AND (SELECT sum(total) FROM pairs) = (SELECT sum(amount) FROM orders)",
        )
    )


@pytest.mark.parametrize("kind", ["diamond", "group"])
def test_what_is_of_one_snapshot_is_never_seen_split(
    db: Database, owner: psycopg.Connection[Any], start_worker: Start, kind: str
) -> None:
    names = list(DIAMOND) if kind == "diamond" else ["sums", "counts"]
    seen_by_readers = f"SELECT {SUMS}, {PAIRS}" if kind == "diamond" else f"SELECT {SUMS}"
    create(db, {name: DIAMOND[name] for name in names}, schedule="1s")
    if kind == "group":
        owner.execute("SELECT pgtrickle.create_refresh_group('both', ARRAY['sums', 'counts'], 'repeatable_read')")
    start_worker(tick_seconds=0.1, children=3)
    until(lambda: value(owner, "SELECT count(*) FROM pgtrickle.ownership") == len(names))
    over = threading.Event()
    seen: set[tuple[Any, ...]] = set()
    split: list[tuple[Any, ...]] = []

    def write(seed: int) -> None:
        chance = random.Random(seed)
        with db.connect() as conn:
            while not over.is_set():
                conn.execute("INSERT INTO orders (customer) SELECT %s", (chance.randrange(9),))
                if chance.random() < 0.3:
                    conn.execute("DELETE FROM orders WHERE id = (SELECT max(id) FROM orders)")
                time.sleep(chance.random() / 100)

    def read() -> None:
        with db.connect(autocommit=False) as conn:
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            while not over.is_set():
                row = conn.execute(seen_by_readers.encode()).fetchone()
                conn.rollback()
                assert row is not None
                seen.add(row)
                if len(set(row)) != 1:
                    split.append(row)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in (1, 2)] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    until(lambda: len(seen) >= 8 or split, seconds=60, what="eight different states seen")
    over.set()
    for thread in threads:
        thread.join()
    assert not split
    rows = "(SELECT count(*) FROM orders)"
    until(lambda: value(owner, f"SELECT {rows} = ALL (ARRAY[{SUMS}])"), seconds=20)


def test_without_consistency_the_members_are_refreshed_alone(
    db: Database, owner: psycopg.Connection[Any], start_worker: Start
) -> None:
    create(db, DIAMOND, schedule="1s", diamond_consistency="none")
    worker = start_worker()
    until(lambda: value(owner, "SELECT count(*) FROM pgtrickle.ownership") == 3)
    owner.execute("INSERT INTO orders (customer) VALUES (7)")
    until(lambda: pairs_are_fresh(owner), seconds=20)
    assert value(owner, TRANSACTIONS) > 1
    assert not worker.said("refresh failed")


def test_a_member_that_fails_undoes_the_group_and_is_put_aside(
    db: Database, owner: psycopg.Connection[Any], start_worker: Start
) -> None:
    shaky = {**DIAMOND, "counts": "SELECT customer, 100 / min(amount) AS n FROM orders GROUP BY customer"}
    create(db, shaky, schedule="1s")
    worker = start_worker()
    until(lambda: value(owner, "SELECT count(*) FROM pgtrickle.ownership") == 3)
    owner.execute("INSERT INTO orders (customer, amount) VALUES (8, 0)")
    until(lambda: worker.said("refresh failed"), seconds=20)
    failed = worker.said("refresh failed")[0]
    assert (failed["table"], failed["undone"], failed["sqlstate"]) == ("public.counts", 3, "22012")
    until(
        lambda: value(owner, "SELECT count(*) FROM sums WHERE customer = 8") == 1, seconds=30, what="the others go on"
    )
    status = "SELECT string_agg(pgt_name || ' ' || status, ', ' ORDER BY pgt_id) FROM pgtrickle.pgt_stream_tables"
    assert value(owner, status) == "sums ACTIVE, counts ERROR, pairs ACTIVE"
    owner.execute("UPDATE orders SET amount = 1")
    owner.execute("SELECT pgtrickle.resume_stream_table('counts')")
    until(lambda: value(owner, "SELECT count(*) FROM pairs WHERE customer = 8") == 1, seconds=30)


def test_a_chain_goes_in_one_transaction(db: Database, owner: psycopg.Connection[Any], start_worker: Start) -> None:
    links = {"link_0": "SELECT id, customer FROM orders"}
    links |= {f"link_{i}": f"SELECT id, customer + 1 AS customer FROM link_{i - 1}" for i in range(1, 6)}
    create(db, links, schedule="calculated")
    start_worker()
    are_compiled = "SELECT bool_and(program_state = 'compiled') FROM pgtrickle.pgt_stream_tables"
    until(lambda: value(owner, are_compiled), seconds=20)
    owner.execute("INSERT INTO orders (id, customer) VALUES (1000, 7)")
    until(lambda: value(owner, "SELECT count(*) FROM link_5 WHERE id = 1000") == 1, seconds=20)
    assert value(owner, TRANSACTIONS) == 1


def test_a_cycle_runs_to_its_fixed_point_and_then_rests(
    db: Database, owner: psycopg.Connection[Any], start_worker: Start
) -> None:
    owner.execute("CREATE TABLE edge (id serial PRIMARY KEY, a int NOT NULL, b int NOT NULL)")
    owner.execute("INSERT INTO edge (a, b) VALUES (1, 2), (2, 3)")
    owner.execute("SELECT pgtrickle.set_config('allow_circular', 'on')")
    create(db, {"reach": "SELECT a, b FROM edge", "hop": "SELECT a, b FROM reach"}, refresh_mode="DIFFERENTIAL")
    query = "SELECT a, b FROM edge UNION SELECT e.a, h.b FROM edge e JOIN hop h ON h.a = e.b"
    owner.execute("SELECT pgtrickle.alter_stream_table('reach', query => %s)", (query,))
    worker = start_worker()
    until(lambda: value(owner, "SELECT count(*) FROM hop") == 3, seconds=20)
    owner.execute("INSERT INTO edge (a, b) VALUES (3, 4), (4, 1)")
    until(lambda: value(owner, "SELECT count(*) FROM hop") == 16, seconds=20)
    owner.execute("DELETE FROM edge WHERE (a, b) = (4, 1)")
    until(lambda: value(owner, "SELECT count(*) FROM hop") == 6, seconds=20)
    assert value(owner, "SELECT last_iterations FROM pgtrickle.pgt_scc_status()") >= 2
    time.sleep(1)
    before = len(worker.said("refreshed"))
    time.sleep(2)
    assert len(worker.said("refreshed")) - before <= 4, "what is settled is left alone, but for a check"


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in (2, 3))])
def test_random_graphs_of_units_stay_exact(
    db: Database, owner: psycopg.Connection[Any], start_worker: Start, seed: int
) -> None:
    """Diamonds, groups, chains and single ones of every schedule, under writers."""
    chance = random.Random(seed)
    owner.execute("CREATE TABLE customers (customer int PRIMARY KEY, region int NOT NULL)")
    owner.execute("INSERT INTO customers SELECT i, i % 3 FROM generate_series(0, 9) i")
    names: list[str] = []
    with trickle.connect(db.url) as client:
        for number in range(9):
            above = chance.sample(names, min(len(names), chance.choice([0, 1, 2, 2])))
            first = above[0] if above else "orders"
            second = above[1] if len(above) == 2 else chance.choice(["orders", "customers"])
            query = chance.choice(
                [
                    f"SELECT customer, count(*) AS n FROM {first} GROUP BY customer",
                    f"SELECT customer FROM {first} WHERE customer <> {chance.randrange(5)}",
                    f"SELECT a.customer, count(*) AS n FROM {first} a JOIN {second} b USING (customer) GROUP BY 1",
                    f"SELECT customer FROM {first} UNION ALL SELECT customer FROM {second}",
                ]
            )
            client.create_stream_table(
                f"st_{number}",
                query,
                schedule=chance.choice(["calculated", "calculated", "1s", "2s"]),
                diamond_consistency=chance.choice(["atomic", "atomic", "none"]),
            )
            names.append(f"st_{number}")
    group = chance.sample(names, 2)
    isolation = chance.choice(["read_committed", "repeatable_read"])
    owner.execute("SELECT pgtrickle.create_refresh_group('g', %s, %s)", (group, isolation))
    worker = start_worker(tick_seconds=0.1, children=3)
    until(lambda: value(owner, "SELECT count(*) FROM pgtrickle.ownership") == len(names))
    over = time.monotonic() + 5
    while time.monotonic() < over:
        owner.execute("INSERT INTO orders (customer) VALUES (%s)", (chance.randrange(9),))
        if chance.random() < 0.3:
            owner.execute("DELETE FROM orders WHERE id = (SELECT min(id) FROM orders)")
        if chance.random() < 0.05:
            owner.execute("UPDATE customers SET region = region + 1 WHERE customer = %s", (chance.randrange(9),))
        time.sleep(0.01)
    until(lambda: not value(owner, "SELECT bool_or(has_changes) FROM pgtrickle.pending()"), seconds=30)
    assert not worker.said("refresh failed")
    kinds = {key for (key,) in owner.execute("SELECT DISTINCT unit_kind FROM pgtrickle.pgt_scheduler_jobs").fetchall()}
    assert kinds & {"atomic_group", "repeatable_read_group"}
    with trickle.connect(db.url) as client:
        assert [name for name in names if not client.verify(name).equal] == []
