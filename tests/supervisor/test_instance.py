"""One running instance on a real server: it refreshes, cascades, survives its children, drains, and tells about it."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.databases import Database
from support.waiting import until

from trickle.supervisor import options as o

Start = Callable[..., Any]

SLOW = """
CREATE FUNCTION slow(seconds float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN PERFORM pg_sleep(seconds); RETURN seconds; END $$
"""


@pytest.fixture
def owner(db: Database) -> psycopg.Connection[Any]:
    return db.connect()


def value(conn: psycopg.Connection[Any], query: str, *parameters: object) -> Any:
    row = conn.execute(query, parameters or None).fetchone()
    return row[0] if row is not None else None


def create(conn: psycopg.Connection[Any], name: str, query: str, schedule: str = "1s", **more: object) -> None:
    options = {"name": name, "query": query, "schedule": schedule, **more}
    words = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(key), sql.Literal(given)) for key, given in options.items()
    )
    conn.execute(sql.SQL("SELECT pgtrickle.create_stream_table({})").format(words))


def chain(conn: psycopg.Connection[Any]) -> None:
    """orders → totals (every second) → big (calculated)."""
    conn.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, amount int NOT NULL)")
    conn.execute("INSERT INTO orders SELECT i, i % 10, i FROM generate_series(1, 100) AS i")
    create(conn, "totals", "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer")
    create(conn, "big", "SELECT customer, total FROM totals WHERE total > 1000", "calculated")


def is_fresh(conn: psycopg.Connection[Any]) -> bool:
    """Whether the end of the chain equals what the source says."""
    want = "SELECT customer, sum(amount) FROM orders GROUP BY customer HAVING sum(amount) > 1000"
    have = "SELECT customer, total FROM big"
    differ = f"({want} EXCEPT ALL {have}) UNION ALL ({have} EXCEPT ALL {want})"
    return conn.execute(f"SELECT NOT EXISTS ({differ})").fetchone() == (True,)


def is_owned(conn: psycopg.Connection[Any], count: int) -> bool:
    return value(conn, "SELECT count(*) FROM pgtrickle.ownership WHERE instance_id IS NOT NULL") == count


def test_changes_flow_through_a_chain_within_a_period(owner: psycopg.Connection[Any], start_worker: Start) -> None:
    chain(owner)
    worker = start_worker()
    until(lambda: value(owner, "SELECT bool_and(program_state = 'compiled') FROM pgtrickle.pgt_stream_tables"))
    owner.execute("INSERT INTO orders VALUES (1001, 3, 5000)")
    until(lambda: is_fresh(owner), seconds=10)
    until(lambda: {line["table"] for line in worker.said("refreshed")} == {"public.totals", "public.big"})


def test_a_downstream_follows_at_once_and_not_a_tick_later(owner: psycopg.Connection[Any], start_worker: Start) -> None:
    chain(owner)
    worker = start_worker(tick_seconds=4.0)
    until(lambda: is_owned(owner, 2))
    until(lambda: len(worker.said("compiled") + worker.said("compilation failed")) >= 2, seconds=15)

    def changed() -> list[dict[str, Any]]:
        return [line for line in worker.said("refreshed") if line["inserted"] + line["updated"] + line["deleted"]]

    before = len(changed())
    owner.execute("INSERT INTO orders VALUES (1001, 3, 5000)")
    first, second = until(lambda: changed()[before:][:2] if len(changed()) >= before + 2 else None, seconds=15)
    assert (first["table"], second["table"]) == ("public.totals", "public.big")
    gap = datetime.fromisoformat(second["time"]) - datetime.fromisoformat(first["time"])
    assert gap.total_seconds() < 1.0
    assert is_fresh(owner)


def test_nothing_to_do_costs_no_refresh_but_is_noted(owner: psycopg.Connection[Any], start_worker: Start) -> None:
    chain(owner)
    start_worker()
    until(lambda: is_owned(owner, 2))
    until(lambda: value(owner, "SELECT bool_and(program_state = 'compiled') FROM pgtrickle.pgt_stream_tables"))
    time.sleep(1.5)
    before = value(owner, "SELECT count(*) FROM pgtrickle.pgt_refresh_history")
    seen = "SELECT last_refresh_at FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'totals'"
    last = value(owner, seen)
    until(lambda: value(owner, seen) > last, seconds=5)
    assert value(owner, "SELECT count(*) FROM pgtrickle.pgt_refresh_history") == before


def test_sigterm_finishes_what_is_in_hand_and_leaves_nothing(
    owner: psycopg.Connection[Any], start_worker: Start
) -> None:
    owner.execute(SLOW)
    owner.execute("CREATE TABLE naps (seconds float8 PRIMARY KEY)")
    create(owner, "rested", "SELECT seconds, slow(seconds) AS slept FROM naps", refresh_mode="FULL")
    chain(owner)
    worker = start_worker()
    until(lambda: is_owned(owner, 3))
    owner.execute("INSERT INTO naps VALUES (2.0)")
    until(lambda: value(owner, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 1)
    worker.terminate()
    until(lambda: is_owned(owner, 1), what="what is not in hand is handed over during the drain")
    assert not worker.said("instance stopped")
    assert worker.wait() == o.EXIT_DRAINED
    assert value(owner, "SELECT count(*) FROM pgtrickle.pgt_instances") == 0
    assert value(owner, "SELECT slept FROM rested") == 2.0
    assert is_owned(owner, 0)


@pytest.mark.parametrize("how", ["second signal", "drain timeout"])
def test_a_drain_can_be_cut_short_safely(owner: psycopg.Connection[Any], start_worker: Start, how: str) -> None:
    owner.execute(SLOW)
    owner.execute("CREATE TABLE naps (seconds float8 PRIMARY KEY)")
    create(owner, "rested", "SELECT seconds, slow(seconds) AS slept FROM naps", refresh_mode="FULL")
    worker = start_worker(drain_seconds=60 if how == "second signal" else 0.5)
    until(lambda: is_owned(owner, 1))
    owner.execute("INSERT INTO naps VALUES (30)")
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    until(lambda: value(owner, sleeping) == 1)
    worker.terminate(signal.SIGINT)
    if how == "second signal":
        until(lambda: worker.said("asked to stop"))
        worker.terminate()
    assert worker.wait(5) == o.EXIT_HARD
    until(lambda: value(owner, sleeping) == 0, seconds=5, what="the session of the killed child ends too")
    assert value(owner, "SELECT count(*) FROM rested") == 0


def test_killed_children_are_replaced_and_nothing_is_lost(owner: psycopg.Connection[Any], start_worker: Start) -> None:
    chain(owner)
    worker = start_worker(children=3)
    until(lambda: is_owned(owner, 2))
    for number in range(40):
        owner.execute("INSERT INTO orders VALUES (%s, %s, 100)", (2000 + number, number % 10))
        victims = worker.children()
        if victims:
            victims[number % len(victims)].kill()
        time.sleep(0.1)
    until(lambda: is_fresh(owner), seconds=20)
    until(lambda: len(worker.children()) == 3, seconds=40, what="every slot is filled again")
    assert worker.process.poll() is None
    states = owner.execute("SELECT DISTINCT status FROM pgtrickle.pgt_stream_tables").fetchall()
    assert states == [("ACTIVE",)]
    worker.terminate()
    assert worker.wait() == o.EXIT_DRAINED


def test_what_ends_its_subprocess_again_and_again_is_said_to_fail(
    owner: psycopg.Connection[Any], start_worker: Start
) -> None:
    """One death may be anybody's fault; five in a row are told of, for each member of the unit that was in hand."""
    owner.execute(SLOW)
    owner.execute("CREATE TABLE o (id int PRIMARY KEY)")
    create(owner, "a", "SELECT sum(slow(0.5)) AS s FROM o", refresh_mode="FULL")
    create(owner, "b", "SELECT count(*) AS n FROM o")
    owner.execute("SELECT pgtrickle.create_refresh_group('both', ARRAY['a', 'b'], 'repeatable_read')")
    worker = start_worker(children=1)
    until(lambda: is_owned(owner, 2))
    owner.execute("INSERT INTO o VALUES (1)")

    def kill_and_look() -> bool:
        if value(owner, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
            for child in worker.children():
                child.kill()
        told = "SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE last_error_message LIKE '%died 5 times%'"
        return bool(value(owner, told) == 2)

    until(kill_and_look, seconds=60)
    until(lambda: value(owner, "SELECT n FROM b") == 1, seconds=60, what="it goes on when nothing kills it any more")


def test_a_failing_stream_table_stops_alone(owner: psycopg.Connection[Any], start_worker: Start) -> None:
    chain(owner)
    owner.execute("CREATE TABLE d (id int PRIMARY KEY, v int NOT NULL)")
    create(owner, "inverse", "SELECT id, 1 / v AS x FROM d")
    worker = start_worker()
    until(lambda: is_owned(owner, 3))
    owner.execute("INSERT INTO d VALUES (1, 0)")
    stopped = "SELECT status FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'inverse'"
    until(lambda: value(owner, stopped) in ("ERROR", "SUSPENDED"), seconds=20)
    until(lambda: worker.said("refresh failed"))
    (failure, *_) = worker.said("refresh failed")
    assert (failure["table"], failure["sqlstate"]) == ("public.inverse", "22012")
    owner.execute("INSERT INTO orders VALUES (1001, 3, 5000)")
    until(lambda: is_fresh(owner), seconds=10)


def test_buffers_are_pruned(owner: psycopg.Connection[Any], start_worker: Start) -> None:
    chain(owner)
    buffer = value(
        owner,
        "SELECT 'pgtrickle_changes.changes_' || source_id FROM pgtrickle.pgt_change_tracking"
        " WHERE source_relid = 'orders'::regclass",
    )
    owner.execute("INSERT INTO orders SELECT i, 1, 1 FROM generate_series(1000, 2000) AS i")
    start_worker(prune_seconds=0.5)
    rows = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*buffer.split(".")))
    until(lambda: owner.execute(rows).fetchone() == (0,), seconds=20)


def test_the_master_switch(owner: psycopg.Connection[Any], start_worker: Start) -> None:
    chain(owner)
    owner.execute("SELECT pgtrickle.set_config('enabled', 'off')")
    start_worker(discovery_seconds=0.5)
    until(lambda: is_owned(owner, 2))
    owner.execute("INSERT INTO orders VALUES (1001, 3, 5000)")
    time.sleep(2)
    assert not is_fresh(owner)
    owner.execute("SELECT pgtrickle.set_config('enabled', 'on')")
    until(lambda: is_fresh(owner), seconds=10)


def test_a_new_stream_table_is_found_at_the_next_tick(owner: psycopg.Connection[Any], start_worker: Start) -> None:
    worker = start_worker(discovery_seconds=600)
    until(lambda: worker.said("joined"))
    chain(owner)
    until(lambda: is_owned(owner, 2), seconds=3)
    owner.execute("SELECT pgtrickle.drop_stream_table('big')")
    until(lambda: is_owned(owner, 1), seconds=3)


def test_a_copied_database_is_brought_back_to_life(
    db: Database, owner: psycopg.Connection[Any], start_worker: Start
) -> None:
    """Its frontiers mean nothing here; read as "no changes" they would lose rows silently."""
    chain(owner)
    owner.execute("UPDATE pgtrickle.identity SET system_identifier = 1")
    owner.execute("INSERT INTO orders VALUES (1001, 3, 5000)")
    worker = start_worker()
    until(lambda: worker.said("the catalog was repaired: every stream table is refreshed in full"), seconds=20)
    until(lambda: is_fresh(owner), seconds=20)
    until(lambda: is_owned(owner, 2))


def test_metrics_and_health_are_served(owner: psycopg.Connection[Any], start_worker: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    worker = start_worker(metrics_port=port)
    until(lambda: worker.said("serving metrics"))

    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    assert until(lambda: get("/readyz")[0] == 200)
    assert get("/livez")[0] == 200
    assert get("/health")[0] == 503, "it owns nothing yet"
    chain(owner)
    until(lambda: get("/health")[0] == 200 and json.loads(get("/health")[1])["owned"] == 2)
    until(lambda: value(owner, "SELECT bool_and(program_state = 'compiled') FROM pgtrickle.pgt_stream_tables"))
    owner.execute("INSERT INTO orders VALUES (1001, 3, 5000)")
    until(lambda: is_fresh(owner), seconds=10)
    until(lambda: 'name="big"' in get("/metrics")[1].partition("pg_trickle_refreshes_total{")[2])


def test_a_database_without_catalog_is_a_configuration_error(empty_db: Database, start_worker: Start) -> None:
    worker = start_worker(url=empty_db.url)
    assert worker.wait() == o.EXIT_CONFIGURATION
    assert "trickle init" in worker.said("cannot work")[0]["error"]


def test_a_server_that_never_answers_ends_the_start(start_worker: Start) -> None:
    worker = start_worker(url="host=127.0.0.1 port=1 dbname=x", startup_seconds=1)
    assert worker.wait() == o.EXIT_UNREACHABLE
    assert worker.said("the server does not answer yet")


def test_a_stop_signal_is_heard_while_the_server_does_not_answer(start_worker: Start) -> None:
    worker = start_worker(url="host=127.0.0.1 port=1 dbname=x", startup_seconds=60)
    until(lambda: worker.said("the server does not answer yet"))
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(10) == o.EXIT_DRAINED


def test_a_hangup_has_settings_read_at_once(owner: psycopg.Connection[Any], start_worker: Start) -> None:
    chain(owner)
    worker = start_worker(discovery_seconds=3600)
    until(lambda: is_owned(owner, 2))
    owner.execute("SELECT pgtrickle.set_config('enabled', 'off')")
    worker.terminate(signal.SIGHUP)
    until(lambda: worker.said("asked to read settings and catalog anew"))
    time.sleep(1)
    owner.execute("INSERT INTO orders VALUES (1001, 3, 5000)")
    time.sleep(2)
    assert not is_fresh(owner)
    owner.execute("SELECT pgtrickle.set_config('enabled', 'on')")
    worker.terminate(signal.SIGHUP)
    until(lambda: is_fresh(owner), seconds=20)
    worker.terminate()
    assert worker.wait() == o.EXIT_DRAINED


def test_a_service_manager_hears_how_it_is(
    owner: psycopg.Connection[Any], start_worker: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain(owner)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        worker = start_worker()
        heard = [""]
        while not {"READY=1", "WATCHDOG=1"} <= {*heard} or "STATUS=owns 2 of 2" not in heard[-1]:
            heard.append(manager.recv(4096).decode())
        worker.terminate(signal.SIGHUP)
        while not heard[-1].startswith("RELOADING=1"):
            heard.append(manager.recv(4096).decode())
        while heard[-1] != "READY=1":
            heard.append(manager.recv(4096).decode())
        worker.terminate()
        while heard[-1] != "STOPPING=1":
            heard.append(manager.recv(4096).decode())
        assert worker.wait() == o.EXIT_DRAINED
