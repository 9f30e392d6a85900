"""The relay while everything that it is made of, and everything that it talks to, is killed under load.

Lies it would catch: a message lost between reading and checkpoint, one of a transaction that was rolled back, a
transaction that commits late and is skipped, a message that overtakes another of its key, one that is twice in an inbox
or in a stream that recognises it, a publisher that fails or waits because of a relay.
Oracle: the outbox, which holds what was committed, and the numbers that the writer of each key has given its messages.

The long runs take TRICKLE_CHAOS_SECONDS, 120 unless told; TRICKLE_CHAOS_SEED repeats a sequence of blows.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.server import require_server
from support.waiting import until

from chaos.conftest import Instance
from chaos.havoc import own_server
from chaos.relay_blows import FORWARD, REVERSE, SILENT_SECONDS, Blows
from chaos.relay_ends import ENDS, INBOX, ONLY_LONG, OUTBOX, End
from chaos.relay_laws import assert_all_and_no_others, assert_in_order, assert_once
from chaos.relay_load import Load, Told, published, told
from trickle import embedded
from trickle.catalog import migrate

SECONDS = float(os.environ.get("TRICKLE_CHAOS_SECONDS", "120"))
SEED = int(os.environ.get("TRICKLE_CHAOS_SEED", "0")) or random.randrange(1, 1_000_000)

pytestmark = [pytest.mark.chaos]

_TEMPLATE = "kills_template"
_SMALL = {
    "batch_size": 50,
    "format": "raw",
    "circuit_breaker": {"half_open_seconds": 0.5},
    "retry": {"max_backoff_ms": 500},
}


@pytest.fixture(scope="module")
def battered() -> Iterator[embedded.Server]:
    """A server that is killed now and then, with a database to copy."""
    require_server()
    with own_server() as server:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
        migrate.init(server.url(_TEMPLATE))
        yield server


@pytest.fixture
def url(battered: embedded.Server) -> Iterator[str]:
    """A database of the test's own on it."""
    name = f"kills_{random.randrange(1_000_000)}"
    with psycopg.connect(battered.url(), autocommit=True) as admin:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(copy.format(sql.Identifier(name), sql.Identifier(_TEMPLATE)))
    with psycopg.connect(battered.url(name), autocommit=True) as owner:
        owner.execute("SELECT pgtrickle.restore_stream_tables()")
    yield battered.url(name)
    with psycopg.connect(battered.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def end(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> End:
    """A destination, and the pipelines to it and from it."""
    made = ENDS[request.param](request, tmp_path)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pgtrickle.create_outbox(%s)", (OUTBOX,))
        for inbox in {INBOX, made.sink_inbox or INBOX}:
            conn.execute("SELECT pgtrickle.create_inbox(%s, schedule => '1h')", (inbox,))
            # No order is told apart within a transaction otherwise.
            conn.execute(f"ALTER TABLE pgtrickle.{inbox} ADD COLUMN arrival bigserial".encode())
        statement = "SELECT pgtrickle.set_relay_outbox(%s, %s, sink => %s, options => %s)"
        conn.execute(statement, (FORWARD, OUTBOX, json.dumps(made.sink), json.dumps(_SMALL | {"max_in_flight": 200})))
        if made.source is not None:
            statement = "SELECT pgtrickle.set_relay_inbox(%s, %s, source => %s, options => %s)"
            conn.execute(statement, (REVERSE, INBOX, json.dumps(made.source), json.dumps(_SMALL | made.intake)))
    return made


@pytest.fixture
def blows(battered: embedded.Server, url: str, end: End, tmp_path: Path) -> Iterator[Blows]:
    """Two relays that carry the pipelines, under load."""
    started: list[Instance] = []

    def start(name: str) -> Instance:
        log = tmp_path / f"{name}.log"
        command = [sys.executable, "-m", "trickle", "relay", "--postgres-url", url, "--instance-id", name]
        command += ["--heartbeat-interval", "0.5", "--heartbeat-timeout", str(SILENT_SECONDS), "--processes", "1"]
        with log.open("wb") as sink:
            environment = {**os.environ, **end.environment}
            process = subprocess.Popen(command, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, env=environment)
        started.append(Instance(process, log))
        return started[-1]

    with Load(url, OUTBOX, SEED) as load:
        print(f"seed {SEED}")
        made = Blows(battered, url, end, load, start, random.Random(SEED))
        for _ in range(2):
            made.start_relay()
        yield made
    for instance in started:
        if instance.process.poll() is None:
            instance.kill()
    for instance in started:
        until(lambda instance=instance: not instance.orphans(), seconds=10, what="no carrier outlives its relay")


def assert_lawful(blows: Blows, end: End) -> None:
    """Without anybody's help everything arrives, and as it was promised."""
    blows.load.end()
    with blows.connect() as conn:
        sent = published(conn, OUTBOX)
        blows.until(lambda: _is_settled(conn, end, len(sent)), "all has arrived")
        letters = conn.execute("SELECT count(*) FROM pgtrickle.pgt_relay_dead_letters").fetchone()
        assert letters == (0,), f"nothing is to blame, yet {letters} are dead letters"
        received = {inbox: _received(conn, inbox) for inbox in _inboxes(end)}
    _assert_published(blows.load, sent)
    if end.arrivals is not None:
        arrived = end.arrivals()
        everything = [one for some in arrived for one in some]
        assert_all_and_no_others(everything, sent)
        for some in arrived:
            assert_in_order(some)
        if end.recognises:
            assert_once(everything)
        print(f"{len(everything) - len(sent)} of {len(sent)} arrived again")
    for messages in received.values():
        assert_all_and_no_others(messages, sent)
        assert_once(messages)
        assert_in_order(messages)


def _inboxes(end: End) -> list[str]:
    return [inbox for inbox in (end.sink_inbox, INBOX if end.source is not None else None) if inbox is not None]


def _is_settled(conn: psycopg.Connection[Any], end: End, expected: int) -> bool:
    """The place is behind everything, and every inbox has it: a place never passes what has not arrived."""
    row = conn.execute("SELECT lag FROM pgtrickle.relay_status() WHERE name = %s", (FORWARD,)).fetchone()
    return row == (0,) and all(len(_received(conn, inbox)) >= expected for inbox in _inboxes(end))


def _received(conn: psycopg.Connection[Any], inbox: str) -> list[Told]:
    rows = conn.execute(f"SELECT event_id, payload FROM pgtrickle.{inbox} ORDER BY arrival".encode()).fetchall()
    return [told(event_id, payload) for event_id, payload in rows]


def _assert_published(load: Load, sent: list[Told]) -> None:
    assert not load.failures, load.failures[:3]
    kept = {one.event_id for one in sent}
    assert load.committed <= kept and not load.rolled_back & kept
    assert len(load.committed) > 50 and len(load.rolled_back) > 10, "it published, and it thought better of some"
    assert load.slowest_seconds < 10


@pytest.mark.parametrize("end", sorted(ENDS.keys() - ONLY_LONG), indirect=True)
def test_a_round_of_kills_loses_nothing(blows: Blows, end: End) -> None:
    round = blows.everyday()
    blows.draw.shuffle(round)
    for blow in round:
        blows.strike(blow)
    assert_lawful(blows, end)


@pytest.mark.full
@pytest.mark.timeout(SECONDS + 600)
@pytest.mark.parametrize("end", sorted(ENDS), indirect=True)
def test_many_kills_at_every_stage_lose_nothing(blows: Blows, end: End) -> None:
    until_then = time.monotonic() + SECONDS
    round: list[Any] = []
    while time.monotonic() < until_then or round:
        if not round:
            round = blows.all()
            blows.draw.shuffle(round)
        blows.strike(round.pop())
    assert_lawful(blows, end)
