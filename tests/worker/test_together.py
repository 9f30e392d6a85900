"""Several stream tables in one transaction: one snapshot, all or none, the right one to blame."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support.databases import Database

import trickle
from trickle.db.session import connect
from trickle.worker import together
from trickle.worker.bench import Limits, Workbench
from trickle.worker.child import attempt
from trickle.worker.protocol import Done, Failed, RefreshTogether


@pytest.fixture
def bench(db: Database) -> Iterator[Workbench]:
    opened = Workbench.prepare(connect(db.url, role="refresh"), False, Limits())
    yield opened
    opened.close()


@pytest.fixture
def stepwise(db: Database) -> Iterator[Workbench]:
    """As behind a pooler: one call after the other, so that a test can put something between two."""
    opened = Workbench.prepare(connect(db.url, role="refresh"), True, Limits())
    yield opened
    opened.close()


@pytest.fixture
def owner(db: Database) -> Iterator[psycopg.Connection[Any]]:
    """A diamond: `sums` and `counts` read `orders`, and `pairs` reads both."""
    with db.connect() as conn:
        conn.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, amount int NOT NULL)")
        conn.execute("INSERT INTO orders SELECT i, i % 5, 1 FROM generate_series(1, 20) i")
        with trickle.connect(db.url) as client:
            for name, query in {
                "sums": "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer",
                "counts": "SELECT customer, count(*) AS n FROM orders GROUP BY customer",
                "pairs": "SELECT s.customer, s.total, c.n FROM sums s JOIN counts c USING (customer)",
            }.items():
                client.create_stream_table(name, query)
        yield conn


DIAMOND = RefreshTogether((1, 2, 3), has_one_snapshot=True)


def is_fresh(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute(
        "SELECT NOT EXISTS (SELECT customer, total, n FROM pairs EXCEPT ALL"
        " SELECT customer, sum(amount), count(*) FROM orders GROUP BY customer)"
        " AND (SELECT coalesce(sum(n), 0) FROM counts) = (SELECT count(*) FROM orders)"
        " AND (SELECT coalesce(sum(total), 0) FROM sums) = (SELECT coalesce(sum(amount), 0) FROM orders)"
    ).fetchone()
    return row == (True,)


def history(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return conn.execute(
        "SELECT pgt_id, status, error_code FROM pgtrickle.pgt_refresh_history"
        " WHERE initiated_by = 'SCHEDULER' ORDER BY refresh_id"
    ).fetchall()


@pytest.mark.parametrize("pooled", [False, True])
def test_a_diamond_takes_everything_at_once(db: Database, owner: psycopg.Connection[Any], pooled: bool) -> None:
    bench = Workbench.prepare(connect(db.url, role="refresh"), pooled, Limits())
    owner.execute("INSERT INTO orders VALUES (100, 3, 7), (101, 9, 7)")
    answer = attempt(bench, DIAMOND)
    assert isinstance(answer, Done)
    assert [part.pgt_id for part in answer.parts] == [1, 2, 3]
    assert all(part.outcome.rows_changed >= 2 for part in answer.parts)
    assert is_fresh(owner)
    again = attempt(bench, DIAMOND)
    assert isinstance(again, Done) and again.outcome.action == "NO_DATA"
    assert [row[:2] for row in history(owner)] == [(1, "COMPLETED"), (2, "COMPLETED"), (3, "COMPLETED")]
    assert bench.conn.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
    bench.close()


def test_what_is_committed_meanwhile_is_left_for_the_next_time(
    db: Database, owner: psycopg.Connection[Any], stepwise: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refreshed one by one, the second member would show what the first does not."""
    refresh = Workbench.refresh

    def and_somebody_writes(self: Workbench, pgt_id: int) -> Any:
        outcome = refresh(self, pgt_id)
        owner.execute("INSERT INTO orders SELECT max(id) + 1, 1, 1 FROM orders")
        return outcome

    monkeypatch.setattr(Workbench, "refresh", and_somebody_writes)
    owner.execute("INSERT INTO orders VALUES (100, 3, 1)")
    answer = attempt(stepwise, DIAMOND)
    assert isinstance(answer, Done)
    assert owner.execute(
        "SELECT (SELECT sum(n) FROM counts), (SELECT sum(total) FROM sums), sum(n) FROM pairs"
    ).fetchone() == (
        21,
        21,
        21,
    )
    monkeypatch.undo()
    attempt(stepwise, DIAMOND)
    assert is_fresh(owner)


def test_a_member_that_fails_undoes_all_and_is_blamed_alone(
    db: Database, owner: psycopg.Connection[Any], bench: Workbench
) -> None:
    with trickle.connect(db.url) as client:
        client.alter_stream_table(
            "counts", query="SELECT customer, 100 / sum(amount) AS n FROM orders GROUP BY customer"
        )
    attempt(bench, DIAMOND)
    before = owner.execute("SELECT * FROM sums ORDER BY 1").fetchall()
    owner.execute("INSERT INTO orders VALUES (100, 8, 5), (101, 9, 0)")
    answer = attempt(bench, DIAMOND)
    assert isinstance(answer, Failed)
    assert (answer.sqlstate, answer.blamed, answer.parts) == ("22012", 2, ())
    assert owner.execute("SELECT * FROM sums ORDER BY 1").fetchall() == before
    failures = owner.execute(
        "SELECT pgt_name, status, consecutive_errors FROM pgtrickle.pgt_stream_tables ORDER BY pgt_id"
    )
    assert failures.fetchall() == [("sums", "ACTIVE", 0), ("counts", "ERROR", 1), ("pairs", "ACTIVE", 0)]
    assert history(owner)[-1] == (2, "FAILED", "22012")
    rest = attempt(bench, RefreshTogether((1, 3), has_one_snapshot=True))
    assert isinstance(rest, Done), "without it the others go on"


def test_a_member_that_is_held_back_holds_all_of_them(
    db: Database, owner: psycopg.Connection[Any], bench: Workbench
) -> None:
    owner.execute("SELECT pgtrickle.alter_stream_table('counts', fuse => 'on', fuse_ceiling => 1)")
    owner.execute("INSERT INTO orders VALUES (100, 8, 5), (101, 9, 0)")
    before = owner.execute("SELECT * FROM sums ORDER BY 1").fetchall()
    answer = attempt(bench, DIAMOND)
    assert isinstance(answer, Done)
    assert [(part.pgt_id, part.outcome.action) for part in answer.parts] == [(2, "SKIPPED")]
    assert owner.execute("SELECT * FROM sums ORDER BY 1").fetchall() == before
    states = "SELECT status, fuse_state FROM pgtrickle.pgt_stream_tables WHERE pgt_id = 2"
    assert owner.execute(states).fetchone() == ("SUSPENDED", "blown"), "what it said is not undone"


def test_where_only_the_owner_is_common_what_was_done_stays(
    db: Database, owner: psycopg.Connection[Any], bench: Workbench
) -> None:
    with trickle.connect(db.url) as client:
        client.create_stream_table("shares", "SELECT customer, 100 / total AS share FROM sums")
        client.create_stream_table("few", "SELECT share FROM shares WHERE share > 10")
    owner.execute("INSERT INTO orders VALUES (100, 8, 5), (101, 9, 0)")
    answer = attempt(bench, RefreshTogether((1, 4, 5), is_all_or_none=False))
    assert isinstance(answer, Failed)
    assert (answer.sqlstate, answer.blamed, [part.pgt_id for part in answer.parts]) == ("22012", 4, [1])
    assert owner.execute("SELECT total FROM sums WHERE customer = 8").fetchone() == (5,)
    assert owner.execute("SELECT status FROM pgtrickle.pgt_stream_tables ORDER BY pgt_id").fetchall() == [
        ("ACTIVE",),
        ("ACTIVE",),
        ("ACTIVE",),
        ("ERROR",),
        ("ACTIVE",),
    ]


def test_a_refresh_by_hand_in_between_is_met_by_a_new_attempt(
    db: Database, owner: psycopg.Connection[Any], stepwise: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh, meddled = Workbench.refresh, []

    def after_somebody(self: Workbench, pgt_id: int) -> Any:
        if pgt_id == 2 and not meddled:
            meddled.append(pgt_id)
            owner.execute("INSERT INTO orders VALUES (200, 2, 2)")
            owner.execute("SELECT pgtrickle.refresh_stream_table('counts')")
        return refresh(self, pgt_id)

    monkeypatch.setattr(Workbench, "refresh", after_somebody)
    owner.execute("INSERT INTO orders VALUES (100, 3, 1)")
    answer = attempt(stepwise, DIAMOND)
    assert isinstance(answer, Done), answer
    assert meddled and is_fresh(owner)
    assert {row[1] for row in history(owner)} == {"COMPLETED"}, "nobody is blamed"


@pytest.mark.parametrize(
    "deed",
    [
        "TRUNCATE orders",
        "ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (100) TO (200)",
        "ALTER TABLE parts DETACH PARTITION parts_1",
        "ALTER TABLE parts DETACH PARTITION parts_1;"
        "ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (0) TO (99)",
    ],
)
def test_what_no_snapshot_keeps_away_undoes_the_unit(
    db: Database, owner: psycopg.Connection[Any], stepwise: Workbench, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    owner.execute("CREATE TABLE parts (customer int NOT NULL) PARTITION BY RANGE (customer)")
    owner.execute("CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100)")
    owner.execute("CREATE TABLE more (customer int NOT NULL)")
    owner.execute("INSERT INTO parts SELECT generate_series(0, 9)")
    owner.execute(
        "INSERT INTO more SELECT generate_series(0, 4)" if "FROM (0)" in deed else "INSERT INTO more VALUES (150)"
    )
    query = "SELECT p.customer, o.id FROM parts p LEFT JOIN orders o USING (customer)"
    with trickle.connect(db.url) as client:
        client.create_stream_table("wide", query)
    refresh, done = Workbench.refresh, []

    def after_the_deed(self: Workbench, pgt_id: int) -> Any:
        if not done:
            done.append(deed)
            owner.execute(deed.encode())
        return refresh(self, pgt_id)

    monkeypatch.setattr(Workbench, "refresh", after_the_deed)
    attempts: list[int] = []
    once = together._once
    monkeypatch.setattr(together, "_once", lambda job, bench: attempts.append(1) or once(job, bench))
    owner.execute("INSERT INTO orders VALUES (100, 3, 1)")
    owner.execute("INSERT INTO parts VALUES (3)")
    unit = RefreshTogether((1, 2, 3, 4), has_one_snapshot=True)
    answer = attempt(stepwise, unit)
    assert isinstance(answer, Done), answer
    assert len(attempts) == 2
    assert is_fresh(owner)
    want, have = query, "SELECT customer, id FROM wide"
    differ = f"({want} EXCEPT ALL {have}) UNION ALL ({have} EXCEPT ALL {want})"
    assert owner.execute(f"SELECT count(*) FROM ({differ}) x".encode()).fetchone() == (0,)


def test_a_unit_below_which_writers_keep_something_runs_without_a_snapshot(
    db: Database, owner: psycopg.Connection[Any], bench: Workbench
) -> None:
    with trickle.connect(db.url) as client:
        client.create_stream_table(
            "now", "SELECT s.customer, c.n FROM sums s JOIN counts c USING (customer)", "IMMEDIATE"
        )
    owner.execute("INSERT INTO orders VALUES (100, 3, 1)")
    answer = attempt(bench, RefreshTogether((1, 2, 3)))
    assert isinstance(answer, Done), answer
    assert is_fresh(owner)
    assert owner.execute("SELECT n FROM now WHERE customer = 3").fetchone() == (5,)


def test_a_lost_connection_blames_nobody(db: Database, owner: psycopg.Connection[Any], bench: Workbench) -> None:
    owner.execute("INSERT INTO orders VALUES (100, 3, 1)")
    locker = db.connect(autocommit=False)
    locker.execute("SELECT FROM pgtrickle.pgt_frontiers WHERE pgt_id = 2 FOR UPDATE")
    timer = threading.Timer(0.5, lambda: owner.execute("SELECT pg_terminate_backend(%s)", (bench.backend_pid,)))
    timer.start()
    answer = attempt(bench, DIAMOND)
    timer.join()
    locker.close()
    assert isinstance(answer, Failed) and answer.connection_lost
    assert history(owner) == []


def test_when_one_is_held_back_all_are(db: Database, owner: psycopg.Connection[Any], bench: Workbench) -> None:
    """Otherwise the others would show a moment that it does not."""
    owner.execute("CREATE TABLE prices (customer int PRIMARY KEY, price int NOT NULL)")
    with trickle.connect(db.url) as client:
        client.alter_stream_table(
            "pairs",
            query="SELECT s.customer, s.total, c.n FROM sums s JOIN counts c USING (customer)"
            " WHERE NOT EXISTS (SELECT FROM prices p WHERE p.customer = s.customer)",
        )
    owner.execute("SELECT pgtrickle.gate_source('prices')")
    owner.execute("INSERT INTO orders VALUES (100, 3, 7)")
    answer = attempt(bench, DIAMOND)
    assert isinstance(answer, Done)
    reasons = [(part.pgt_id, part.outcome.action, part.outcome.reason) for part in answer.parts]
    assert reasons == [(3, "SKIPPED", "source gated: public.prices")]
    assert history(owner) == [(3, "SKIPPED", None)]
    assert owner.execute("SELECT sum(n) FROM counts").fetchone() == (20,)
    owner.execute("SELECT pgtrickle.ungate_source('prices')")
    attempt(bench, DIAMOND)
    assert is_fresh(owner)
