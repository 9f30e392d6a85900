"""Several running instances: one owner per stream table, fair shares, take-over, and lock sessions that are lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import psycopg
from support.databases import Database
from support.waiting import until

from trickle.supervisor import claims

Start = Callable[..., Any]
TABLES = 12


def prepare(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
    for number in range(TABLES):
        conn.execute(
            "SELECT pgtrickle.create_stream_table(%s, %s, schedule => '1s')",
            (f"st_{number}", f"SELECT sum(v + {number}) AS s FROM source"),
        )


def owners(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Who holds which stream table; two rows for one would be two owners."""
    rows = conn.execute(
        "SELECT pgt_name, instance_id FROM pgtrickle.ownership WHERE instance_id IS NOT NULL"
    ).fetchall()
    assert len(rows) == len({name for name, _ in rows})
    return {str(name): str(instance) for name, instance in rows}


def are_owned_by(conn: psycopg.Connection[Any], instances: set[str]) -> bool:
    """Whether everything is held by whom it should be held by."""
    rows = conn.execute("SELECT pgt_name, hashtext(pgt_schema || '.' || pgt_name) FROM pgtrickle.pgt_stream_tables")
    keys = {str(name): int(key) for name, key in rows}
    assigned = claims.assign(set(keys.values()), [claims.Member(instance) for instance in instances])
    return owners(conn) == {name: assigned[key] for name, key in keys.items()}


def is_fresh(conn: psycopg.Connection[Any]) -> bool:
    last = conn.execute(f"SELECT s FROM st_{TABLES - 1}").fetchone()
    want = conn.execute(f"SELECT sum(v + {TABLES - 1}) FROM source").fetchone()
    first, want_first = (
        conn.execute("SELECT s FROM st_0").fetchone(),
        conn.execute("SELECT sum(v) FROM source").fetchone(),
    )
    return last == want and first == want_first


def test_instances_share_join_leave_and_take_over(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        prepare(conn)
        a = start_worker(instance_id="a", children=1)
        until(lambda: are_owned_by(conn, {"a"}))
        b = start_worker(instance_id="b", children=1)
        until(lambda: b.said("joined"), seconds=20)
        until(lambda: are_owned_by(conn, {"a", "b"}), seconds=5)
        before = owners(conn)
        c = start_worker(instance_id="c", children=1)
        until(lambda: c.said("joined"), seconds=20)
        until(lambda: are_owned_by(conn, {"a", "b", "c"}), seconds=5)
        after = owners(conn)
        gained = {name for name in after if after[name] != before[name]}
        assert sum(after[name] == "c" for name in gained) == TABLES // 3
        assert len(gained) <= TABLES // 3 + 2, "little moved that did not have to"

        b.kill()
        killed_at = time.monotonic()
        until(lambda: are_owned_by(conn, {"a", "c"}), seconds=5)
        assert time.monotonic() - killed_at < 2, "long before the discovery interval of 30 s"
        last = owners(conn)
        assert sum(last[name] != after[name] for name in last) <= TABLES // 3 + 2, "little else moved"

        a.terminate()
        assert a.wait() == 0
        until(lambda: are_owned_by(conn, {"c"}), seconds=5)
        conn.execute("INSERT INTO source VALUES (1, 1)")
        until(lambda: is_fresh(conn), seconds=15)


def test_groups_do_not_see_each_other(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        prepare(conn)
        start_worker(group_id="blue", instance_id="blue-1")
        start_worker(group_id="green", instance_id="green-1")

        def held() -> dict[str, int]:
            rows = conn.execute(
                "SELECT group_id, count(*) FROM pgtrickle.ownership WHERE instance_id IS NOT NULL GROUP BY 1"
            ).fetchall()
            return dict(rows)

        until(lambda: held() == {"blue": TABLES, "green": TABLES})


def test_a_terminated_lock_session_is_replaced_at_once(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        prepare(conn)
        worker = start_worker(instance_id="a")
        until(lambda: are_owned_by(conn, {"a"}))
        conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name ^@ 'pg_trickle_lock'"
            " AND datname = current_database()"
        )
        until(lambda: worker.said("the lock session is lost: all claims are dropped"), seconds=5)
        until(lambda: are_owned_by(conn, {"a"}), seconds=5)
        conn.execute("INSERT INTO source VALUES (1, 1)")
        until(lambda: is_fresh(conn), seconds=15)


def test_all_sessions_may_be_terminated_at_any_time(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        prepare(conn)
        worker = start_worker(instance_id="a")
        until(lambda: are_owned_by(conn, {"a"}))
        for number in range(5):
            conn.execute("INSERT INTO source VALUES (%s, 1)", (number,))
            conn.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name LIKE 'pg\\_trickle\\_%%' AND datname = current_database()"
            )
            time.sleep(0.3)
        until(lambda: are_owned_by(conn, {"a"}), seconds=20)
        until(lambda: is_fresh(conn), seconds=20)
        assert worker.process.poll() is None


def test_an_instance_id_is_held_by_one_instance(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        prepare(conn)
        first = start_worker(instance_id="same")
        until(lambda: are_owned_by(conn, {"same"}))
        second = start_worker(instance_id="same")
        until(lambda: second.said("another session holds our instance id"))
        assert not second.said("claims changed")
        first.terminate(signal.SIGTERM)
        assert first.wait() == 0
        until(lambda: second.said("claims changed"), seconds=15)
        until(lambda: are_owned_by(conn, {"same"}), seconds=5)


def test_a_downstream_of_another_instance_is_woken(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
        conn.execute("SELECT pgtrickle.create_stream_table('up', 'SELECT sum(v) AS s FROM source', schedule => '1s')")
        for number in range(8):
            conn.execute(
                "SELECT pgtrickle.create_stream_table(%s, %s, schedule => 'calculated')",
                (f"down_{number}", f"SELECT s + {number} AS s FROM up"),
            )
        workers = [start_worker(instance_id=name, tick_seconds=3.0) for name in ("a", "b")]
        until(lambda: are_owned_by(conn, {"a", "b"}), seconds=15)
        until(lambda: sum(len(worker.said("compiled")) for worker in workers) >= 9, seconds=15)
        conn.execute("INSERT INTO source VALUES (1, 7)")
        until(lambda: conn.execute("SELECT s FROM up").fetchone() == (7,), seconds=15)
        total = " + ".join(f"(SELECT sum(s) FROM down_{number})" for number in range(8))
        until(lambda: conn.execute(f"SELECT {total}").fetchone() == (8 * 7 + 28,), seconds=2)
