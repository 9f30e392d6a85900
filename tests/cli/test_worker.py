"""`trickle worker` as a process of its own: it refreshes, names itself, and ends when told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import sql
from support.databases import Database

from trickle.cli.worker import worker_options
from trickle.settings import Settings

TOTALS = "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer"


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return as soon as `what` holds."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def worker(
    orders: Database, clean_environment: dict[str, str | None], tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in the background, given time to drain; its log is in tmp_path."""
    inherited = {name: value for name, value in os.environ.items() if name not in clean_environment}
    command = [sys.executable, "-m", "trickle", "worker", "--workers", "1", "--instance-id", "test-1"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--discovery-interval", "500ms", "--log-format", "json"],
            env={**inherited, "TRICKLE_POSTGRES_URL": orders.url},
            stderr=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def test_settings_become_options() -> None:
    options = worker_options(Settings(relay_group_id="blue", drain_timeout=3, metrics_port=0), "url")
    assert (options.url, options.group_id, options.drain_seconds) == ("url", "blue", 3)
    assert (options.instance_id, options.direct_url, options.metrics_port) == (None, None, None)


def test_a_worker_refreshes_and_drains(
    orders: Database, trickle: Any, worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    trickle("create", "totals", TOTALS, "--schedule", "1s")
    until(lambda: trickle.json("status", "totals")["stream_table"]["instance_id"] == "test-1")
    instances = trickle.json("status")["instances"]
    assert [(i["instance_id"], i["is_live"]) for i in instances] == [("test-1", True)]
    with orders.connect() as owner:
        owner.execute("INSERT INTO orders VALUES (10, 7, 100)")
        until(lambda: owner.execute("SELECT total FROM totals WHERE customer = 7").fetchone() == (100,))
    assert trickle.json("verify", "totals")[0]["equal"] is True
    children = psutil.Process(worker.pid).children(recursive=True)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0, (tmp_path / "log").read_text()
    until(lambda: not any(child.is_running() for child in children))
    assert trickle.json("status")["instances"] == []


@pytest.fixture
def peculiar(orders: Database) -> Database:
    """A database whose sessions speak German, nest their transactions strictly and read backslashes the old way."""
    defaults = {
        "DateStyle": "German",
        "IntervalStyle": "sql_standard",
        "TimeZone": "Asia/Kathmandu",
        "standard_conforming_strings": "off",
        "default_transaction_isolation": "serializable",
        "quote_all_identifiers": "on",
        "extra_float_digits": "-3",
        "search_path": "pg_temp",
    }
    with orders.connect() as owner:
        for name, value in defaults.items():
            statement = "ALTER DATABASE {} SET {} = {}"
            database = sql.Identifier(owner.info.dbname)
            owner.execute(sql.SQL(statement).format(database, sql.Identifier(name), sql.Literal(value)))
    return orders


def may_be_said_again(conn: psycopg.Connection[Any], statement: str) -> bool:
    """Whether it was done: a stricter isolation than READ COMMITTED refuses what others change meanwhile."""
    try:
        conn.execute(statement.encode())
    except psycopg.errors.SerializationFailure:
        return False
    return True


def test_the_defaults_of_a_database_may_be_peculiar(
    peculiar: Database, trickle: Any, worker: subprocess.Popen[bytes]
) -> None:
    query = "SELECT customer, sum(amount) AS total FROM public.orders WHERE amount > 0.5 GROUP BY customer"
    trickle("create", "public.totals", query, "--schedule", "1s")
    trickle("create", "public.kept", query, "--refresh-mode", "IMMEDIATE")
    with peculiar.connect() as owner:
        until(lambda: may_be_said_again(owner, "INSERT INTO public.orders VALUES (10, 7, 100)"))
        for name in ("totals", "kept"):
            found = f"SELECT total FROM public.{name} WHERE customer = 7"
            until(lambda found=found: owner.execute(found).fetchone() == (100,))  # type: ignore[misc]
    assert [row["equal"] for row in trickle.json("verify", "--all")] == [True, True]
    assert "public.totals" in trickle("status").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--workers", "0"), "--workers: 0 is outside 1–64"),
        (("--discovery-interval", "now"), "--discovery-interval: 'now' is not a number of s"),
        (("--log-format", "xml"), "--log-format: 'xml' is not one of text, json"),
    ],
)
def test_wrong_options_are_refused_before_anything_starts(trickle: Any, words: tuple[str, ...], told: str) -> None:
    assert told in trickle("worker", *words, expect=78).stderr


@pytest.mark.parametrize("in_database", [False, True])
def test_a_profile_reaches_every_part(
    orders: Database, clean_environment: dict[str, str | None], tmp_path: Path, in_database: bool
) -> None:
    """The command line has no more to say than the database, which a pooler would let through."""
    inherited = {name: value for name, value in os.environ.items() if name not in clean_environment}
    with orders.connect() as owner:
        if in_database:
            owner.execute("SELECT pgtrickle.set_config('profile', 'constrained')")
        said = [] if in_database else ["--profile", "constrained"]
        command = [sys.executable, "-m", "trickle", "worker", "--postgres-url", orders.url, *said]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, env=inherited, stderr=log)
        try:
            most = "SELECT max(most) FROM pgtrickle._pool_stakes()"
            until(lambda: owner.execute(most).fetchone() == (2,))
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
