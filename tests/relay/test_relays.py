"""Whole relays: shared among several, killed, frozen, drained, and told of changes while they run.

Lies they would catch: a pipeline that nobody carries or two do, a frozen relay that takes back what it has lost, a
drain that loses or repeats, a change that needs a restart, a secret that does.
"""

from __future__ import annotations

import json
import shlex
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.databases import Database
from support.pooler import Pooler
from support.relaying import asked, publish
from support.waiting import until

from .conftest import Relay, StartRelay

QUICK = ("--heartbeat-interval", "0.3", "--heartbeat-timeout", "2")


def declare(db: Database, name: str, sink: dict[str, Any], options: dict[str, Any] | None = None) -> None:
    """A pipeline from the outbox `box`."""
    with db.connect() as owner:
        if not owner.execute("SELECT 1 FROM pgtrickle.pgt_outbox_config WHERE outbox_name = 'box'").fetchone():
            owner.execute("SELECT pgtrickle.create_outbox('box')")
        owner.execute(
            "SELECT pgtrickle.set_relay_outbox(%s, 'box', sink => %s, options => %s)",
            (name, json.dumps(sink), json.dumps({"format": "raw", **(options or {})})),
        )


def to_file(path: Path) -> dict[str, Any]:
    return {"type": "file", "path": str(path), "fsync": False}


def lines(path: Path) -> list[int]:
    if not path.exists():
        return []
    return [json.loads(line)["n"] for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def holders(db: Database, group: str = "default") -> dict[str, int]:
    """Which session holds the claim on each pipeline, by the keys that are documented."""
    found = asked(
        db,
        "SELECT p.pipeline_name, l.pid FROM pg_locks l JOIN pgtrickle.pgt_relay_pipelines p "
        "ON l.objid::bigint = hashtext(p.pipeline_name)::bigint & 4294967295 "
        "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 "
        "AND l.classid::bigint = hashtext(%s)::bigint & 4294967295 "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        group,
    )
    assert len(found) == len(dict(found)), "no claim is held twice"
    return dict(found)


def state(db: Database, name: str = "one") -> tuple[str, str]:
    ((word, reason),) = asked(db, "SELECT state, reason FROM pgtrickle.relay_status() WHERE name = %s", name)
    return word, str(reason)


def test_two_share_the_pipelines_and_hand_them_over(db: Database, start_relay: StartRelay, tmp_path: Path) -> None:
    names = [f"pipe_{n}" for n in range(8)]
    for name in names:
        declare(db, name, to_file(tmp_path / name))
    publish(db, range(10), keys=3)
    first = start_relay("--instance-id", "a", *QUICK)
    until(lambda: len(holders(db)) == 8, what="one has them all")
    second = start_relay("--instance-id", "b", *QUICK)
    until(lambda: len(set(holders(db).values())) == 2 and len(holders(db)) == 8, what="they share")
    assert min(Counter(holders(db).values()).values()) >= 2
    publish(db, range(10, 20), keys=3)
    until(lambda: all(len(lines(tmp_path / name)) == 20 for name in names))
    first.send(signal.SIGTERM)
    assert first.wait() == 0
    publish(db, range(20, 30), keys=3)
    until(lambda: all(len(lines(tmp_path / name)) >= 30 for name in names))
    for name in names:
        assert lines(tmp_path / name) == list(range(30)), "handed over without a repetition"
    assert set(Counter(holders(db).values()).values()) == {8}
    second.send(signal.SIGTERM)
    assert second.wait() == 0
    assert not holders(db)


def test_a_carrier_and_then_its_relay_are_killed(db: Database, start_relay: StartRelay, tmp_path: Path) -> None:
    declare(db, "one", to_file(tmp_path / "one"))
    relay = start_relay("--processes", "2", *QUICK)
    publish(db, range(10))
    until(lambda: lines(tmp_path / "one") == list(range(10)))
    for child in relay.children():
        child.kill()
    publish(db, range(10, 20))
    until(lambda: set(lines(tmp_path / "one")) == set(range(20)))
    assert len(relay.said("a carrier ended")) == 2
    publish(db, range(20, 1_000))
    relay.children()
    relay.process.kill()
    relay.end()
    start_relay(*QUICK)
    until(lambda: set(lines(tmp_path / "one")) == set(range(1_000)))
    firsts = list(dict.fromkeys(lines(tmp_path / "one")))
    assert firsts == sorted(firsts)


@pytest.mark.parametrize("freezes_all", [True, False], ids=["all of it", "its parent"])
def test_a_frozen_relay_is_taken_over_from_and_takes_nothing_back(
    db: Database, start_relay: StartRelay, freezes_all: bool
) -> None:
    asked(db, "SELECT pgtrickle.create_inbox('copies', with_dead_letter => false, with_stats => false)")
    declare(db, "one", {"type": "postgres", "inbox": "copies"})
    frozen = start_relay("--instance-id", "frozen", *QUICK)
    publish(db, range(10))
    until(lambda: copies(db) == list(range(10)))
    fresh = start_relay("--instance-id", "fresh", *QUICK)
    until(lambda: fresh.said("members changed") and fresh.said("members changed")[-1]["count"] == 2)
    for name in ("two", "three", "four", "five"):
        declare(db, name, {"type": "postgres", "inbox": "copies"})
    until(lambda: len(set(holders(db).values())) == 2 and len(holders(db)) == 5)
    frozen.send(signal.SIGSTOP, to_all=freezes_all)
    publish(db, range(10, 100))
    until(lambda: len(set(holders(db).values())) == 1 and len(holders(db)) == 5, what="the other has them all")
    until(lambda: copies(db) == list(range(100)))
    until(lambda: lags(db) == {0})
    places = numbers(db)
    publish(db, range(100, 200))
    until(lambda: copies(db) == list(range(200)) and lags(db) == {0})
    assert numbers(db) == places, "nobody has begun anew meanwhile"
    frozen.send(signal.SIGCONT, to_all=freezes_all)
    until(lambda: len(set(holders(db).values())) == 2, what="it is one of two again")
    publish(db, range(200, 300))
    until(lambda: copies(db) == list(range(300)) and lags(db) == {0})
    assert not frozen.said("a pipeline crashed")


def copies(db: Database) -> list[int]:
    return sorted(int(row[0]) for row in asked(db, "SELECT payload ->> 'n' FROM pgtrickle.copies"))


def lags(db: Database) -> set[int]:
    return {int(row[0]) for row in asked(db, "SELECT lag FROM pgtrickle.relay_status()")}


def numbers(db: Database) -> list[int]:
    """How often each place was begun at."""
    return [row[0] for row in asked(db, "SELECT epoch FROM pgtrickle.pgt_consumer_groups ORDER BY group_name")]


def test_changes_are_picked_up_at_once(db: Database, start_relay: StartRelay, tmp_path: Path) -> None:
    """With looks at the catalog an hour apart."""
    relay = start_relay("--discovery-interval", "3600")
    until(lambda: relay.said("joined"))
    declare(db, "one", to_file(tmp_path / "a"))
    publish(db, [0])
    until(lambda: lines(tmp_path / "a") == [0], seconds=5)
    asked(db, "SELECT pgtrickle.disable_relay('one')")
    until(lambda: not holders(db), seconds=5)
    publish(db, [1])
    assert state(db)[0] == "disabled"
    asked(db, "SELECT pgtrickle.enable_relay('one')")
    until(lambda: lines(tmp_path / "a") == [0, 1], seconds=5)
    declare(db, "one", to_file(tmp_path / "b"))
    publish(db, [2])
    until(lambda: lines(tmp_path / "b") == [2], seconds=5)
    asked(db, "SELECT pgtrickle.delete_relay('one')")
    until(lambda: not holders(db), seconds=5)
    assert lines(tmp_path / "a") == [0, 1]


def test_a_wrong_configuration_is_told_and_mended(db: Database, start_relay: StartRelay, tmp_path: Path) -> None:
    declare(db, "one", {"type": "file", "pth": "x"})
    declare(db, "two", {"type": "carrier_pigeon"})
    declare(db, "three", to_file(tmp_path / "three"), {"transform": {"filter": "a ["}})
    declare(db, "good", to_file(tmp_path / "good"))
    start_relay()
    publish(db, [1])
    until(lambda: {state(db, name)[0] for name in ("one", "two", "three")} == {"failed"})
    assert "did you mean" in state(db, "one")[1] or "path" in state(db, "one")[1]
    assert "carrier_pigeon" in state(db, "two")[1]
    assert "filter" in state(db, "three")[1]
    until(lambda: lines(tmp_path / "good") == [1], what="the others are carried")
    for name in ("one", "two", "three"):
        declare(db, name, to_file(tmp_path / name))
    until(lambda: all(lines(tmp_path / name) == [1] for name in ("one", "two", "three")))
    until(lambda: state(db, "one")[0] == "running")


def test_a_secret_that_is_missing_is_waited_for(db: Database, start_relay: StartRelay, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    declare(db, "one", {"type": "file", "path": f"${{env:WHERE_TO}}/${{file:{secret}}}"})
    relay = start_relay(environment={"WHERE_TO": str(tmp_path)})
    publish(db, [1])
    until(lambda: state(db)[0] == "failed")
    assert str(secret) in state(db)[1]
    secret.write_text("first-name\n")
    until(lambda: lines(tmp_path / "first-name") == [1], seconds=30)
    assert len(relay.said("a pipeline cannot be carried")) == 1


def test_a_secret_that_changes_opens_the_connection_anew(db: Database, start_relay: StartRelay, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first-name")
    declare(db, "one", {"type": "file", "path": f"{tmp_path}/${{file:{secret}}}"})
    relay = start_relay()
    publish(db, [1])
    until(lambda: lines(tmp_path / "first-name") == [1])
    secret.write_text("second-name\n")
    until(lambda: relay.said("secrets of a pipeline have changed"), seconds=30)
    publish(db, [2])
    until(lambda: lines(tmp_path / "second-name") == [2])
    assert "second-name" not in relay.log.read_text()


def test_metrics_and_health(db: Database, start_relay: StartRelay, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    relay = start_relay("--metrics-port", str(port))
    until(lambda: relay.said("serving metrics"))
    assert answer(port, "/health")[0] == 503, "it carries nothing"
    assert answer(port, "/readyz")[0] == 200
    declare(db, "one", to_file(tmp_path / "one"))
    publish(db, range(5))
    until(lambda: value(port, 'pg_tide_relay_messages_published_total{direction="forward",pipeline="one"}') == 5)
    assert value(port, 'pg_tide_pipeline_healthy{pipeline="one"}') == 1
    assert answer(port, "/health")[0] == 200
    # A change begins the counts of the carrier anew, not those that are shown; also what it did just before counts.
    publish(db, range(5, 10))
    until(lambda: len(lines(tmp_path / "one")) == 10)
    declare(db, "one", to_file(tmp_path / "two"))
    publish(db, range(10, 20))
    until(lambda: value(port, 'pg_tide_relay_messages_published_total{direction="forward",pipeline="one"}') == 20)
    declare(db, "one", {"type": "file", "path": str(tmp_path / "none" / "there")})
    until(lambda: value(port, 'pg_tide_pipeline_healthy{pipeline="one"}') == 0)
    until(lambda: "invalid_destination" in state(db)[1], what="the catalog says why, a moment after the metric")


def answer(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def value(port: int, series: str) -> float | None:
    found = [line for line in answer(port, "/metrics")[1].splitlines() if line.startswith(series + " ")]
    return float(found[0].rpartition(" ")[2]) if found else None


def test_behind_a_pooler_the_bells_are_heard_directly(
    db: Database, pooler: Pooler, start_relay: StartRelay, tmp_path: Path
) -> None:
    """A pooler in transaction mode passes no notification on, and would leave the locks of a session to others."""
    asked(db, "SELECT pgtrickle.set_config('event_driven_wake', 'on')")
    declare(db, "one", to_file(tmp_path / "one"))
    relay = start_relay("--postgres-url", pooler.url(db), "--direct-url", db.url)
    until(lambda: bells_held(db) == 1)
    for n in range(5):
        publish(db, [n])
        until(lambda n=n: lines(tmp_path / "one") == list(range(n + 1)))  # type: ignore[misc]
    relay.send(signal.SIGTERM)
    assert relay.wait() == 0
    assert bells_held(db) == 0


def bells_held(db: Database) -> int:
    question = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted "
        "AND classid::int = pgtrickle._outbox_bell_class() "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return int(asked(db, question)[0][0])


_PG_TIDE = (sys.executable, "-c", "from trickle.cli.relay import pg_tide; pg_tide()")


def test_the_printed_command_lines(db: Database, start_relay: StartRelay, tmp_path: Path) -> None:
    """As they stand in the description of pg_tide's high availability, with a real address."""
    printed = [
        'pg-tide --postgres-url "..." --relay-group-id "production"',
        'pg-tide --postgres-url "..." --relay-group-id "production"',
        'pg-tide --postgres-url "..." --discovery-interval 10',
    ]
    for name in ("orders", "events", "mail"):
        declare(db, name, to_file(tmp_path / name))
    relays = [relay_of(line, db, start_relay) for line in printed[:2]]
    until(lambda: len(holders(db, "production")) == 3 and all(relay.said("joined") for relay in relays))
    publish(db, range(3))
    until(lambda: all(lines(tmp_path / name) == [0, 1, 2] for name in ("orders", "events", "mail")))
    locks = asked(db, "SELECT * FROM pg_locks WHERE locktype = 'advisory' AND granted")
    assert len(locks) >= 3
    # Another group is independent: it may own the same pipelines.
    other = relay_of(printed[2], db, start_relay)
    until(lambda: len(holders(db, "default")) == 3)
    for relay in (*relays, other):
        relay.send(signal.SIGTERM)
    assert [relay.wait() for relay in (*relays, other)] == [0, 0, 0]


def relay_of(line: str, db: Database, start_relay: StartRelay) -> Relay:
    program, *flags = shlex.split(line.replace("...", db.url))
    assert program == "pg-tide"
    return start_relay(*flags, command=_PG_TIDE)
