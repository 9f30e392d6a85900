"""Claims by shard on a real server: within the budget at 10 000 names, seen in the views, and never two at one name."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.waiting import until

from trickle.db.locks import LockName, LockSession
from trickle.scheduler.table import Table
from trickle.supervisor.holdings import Holdings
from trickle.supervisor.layout import Layout, arrange
from trickle.supervisor.link import ServerLink
from trickle.supervisor.observe import read_keys
from trickle.supervisor.options import WorkerOptions

Start = Callable[..., Any]
NAMES = 40
BUDGETS = {0: NAMES, 2: 4, 8: 16, 16: 32}  # number of shards → budget that asks for it


def catalog_rows(conn: psycopg.Connection[Any], first: int, last: int) -> None:
    """Stream tables that exist in the catalog alone, suspended, so that nobody tries to refresh them."""
    conn.execute(
        "INSERT INTO pgtrickle.pgt_stream_tables"
        " (pgt_relid, pgt_name, pgt_schema, pgt_owner, defining_query, original_query, status)"
        " SELECT 3000000000 + n, 'row_' || n, 'public', current_user, 'SELECT 1', 'SELECT 1', 'SUSPENDED'"
        " FROM generate_series(%s::bigint, %s::bigint) AS n",
        (first, last),
    )


def scalar(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


def advisory_locks(conn: psycopg.Connection[Any]) -> int:
    """Exclusive ones of this database."""
    return int(
        scalar(
            conn,
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.mode = 'ExclusiveLock'",
        )
    )


def owned_by(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """So many for each instance."""
    rows = conn.execute("SELECT pgt_id, instance_id FROM pgtrickle.ownership").fetchall()
    return Counter(instance for _, instance in rows)


def test_ten_thousand_names_leave_the_lock_table_to_others(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        catalog_rows(conn, 1, 10_000)
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
        conn.execute("SELECT pgtrickle.create_stream_table('real', 'SELECT sum(v) AS s FROM source', schedule => '1s')")
        workers = [start_worker(instance_id=name, children=1, tick_seconds=0.5) for name in ("a", "b", "c")]

        def are_owned_by(count: int) -> bool:
            time.sleep(0.3)  # the question itself is work for the server
            owners = owned_by(conn)
            return sum(owners.values()) == 10_001 and len(owners) == count

        until(lambda: are_owned_by(3), seconds=60)
        budget = scalar(conn, "SELECT min(lock_budget) FROM pgtrickle.pgt_instances")
        assert budget == 64 * (60 + 20) // 10
        until(lambda: advisory_locks(conn) <= budget + len(workers), seconds=30)

        def told() -> dict[str, int]:
            return dict(conn.execute("SELECT instance_id, stream_tables FROM pgtrickle.instances").fetchall())

        def are_shared() -> bool:
            return sum(told().values()) == 10_001 and all(2500 < count < 4200 for count in told().values())

        until(are_shared, seconds=30, what=f"a third each: {told()}")

        with db.connect() as other:
            other.execute("SELECT pg_advisory_lock(77, n) FROM generate_series(1, 3000) AS n")
            conn.execute("INSERT INTO source VALUES (1, 5)")
            until(lambda: scalar(conn, "SELECT s FROM real") == 5, seconds=30)

        workers[0].kill()
        until(lambda: are_owned_by(2), seconds=30)
        errors = [line["error"] for worker in workers for line in worker.said("a turn failed")]
        assert not [error for error in errors if "shared memory" in error]


def test_from_names_to_shards_and_back(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        for name in ("a", "b"):
            start_worker(instance_id=name, children=1, claim_lock_percent=1)
        budget = 64 * (60 + 20) // 100
        catalog_rows(conn, 1, budget)

        def are_held(names: int, locks: int) -> bool:
            owners = owned_by(conn)
            return sum(owners.values()) == names and len(owners) == 2 and advisory_locks(conn) == locks + 2

        until(lambda: are_held(budget, budget))
        catalog_rows(conn, budget + 1, budget + 100)
        until(lambda: are_held(budget + 100, 16))
        assert scalar(conn, "SELECT max(shard_counts) FROM pgtrickle.pgt_instances") == [16]
        conn.execute("DELETE FROM pgtrickle.pgt_stream_tables WHERE pgt_relid > %s", (3_000_000_000 + budget,))
        until(lambda: are_held(budget, budget))
        until(lambda: scalar(conn, "SELECT max(shard_counts) FROM pgtrickle.pgt_instances") == [])


@dataclass
class Peer:
    """One instance reduced to its claims; `wants` says which of the names, in whichever layout."""

    link: ServerLink
    holdings: Holdings
    tables: dict[int, Table]
    in_hand: set[str] = field(default_factory=set)

    def arrange(self, keys: dict[str, int], budget: int, wants: Callable[[str], bool]) -> None:
        control = self.link.connect()
        layout = arrange(keys, (), budget, lambda names: read_keys(control, "g", names))
        claims = set(layout.claim_of.values())
        self.holdings.assign(layout, frozenset(claim for claim in claims if wants(claim)))

    def settle(self) -> None:
        self.holdings.settle(self.link.connect(), self.tables, frozenset(self.in_hand))

    @property
    def usable(self) -> frozenset[int]:
        return self.holdings.usable(self.tables)

    def begin(self, chance: random.Random) -> None:
        """Take one of the usable stream tables in hand, under its claim of now."""
        if self.usable:
            name = self.tables[chance.choice(sorted(self.usable))].full_name
            self.in_hand.add(self.holdings.layout.claim_of[name])

    def finish(self) -> None:
        self.in_hand.clear()


@pytest.fixture
def peers(db: Database) -> Iterator[tuple[list[Peer], dict[str, int]]]:
    """Three instances and the keys of forty names."""
    with db.connect() as conn:
        catalog_rows(conn, 1, NAMES)
        rows = conn.execute("SELECT pgt_id, pgt_name, hashtext('public.' || pgt_name) FROM pgtrickle.pgt_stream_tables")
        found = rows.fetchall()
    tables = {int(pgt_id): Table(int(pgt_id), "public", name) for pgt_id, name, _ in found}
    keys = {f"public.{name}": int(key) for _, name, key in found}
    made: list[Peer] = []
    for name in "abc":
        link = ServerLink(WorkerOptions(url=db.url, group_id="g"), name)
        link.connect()
        link.join()
        made.append(Peer(link, Holdings(link, "g"), tables))
    yield made, keys
    for peer in made:
        peer.link.close()


def agree(peers: list[Peer], keys: dict[str, int], shards: int) -> None:
    """All see the same number of shards, and each wants its third."""
    for number, peer in enumerate(peers):
        peer.arrange(keys, BUDGETS[shards], lambda claim, n=number: _number(claim) % 3 == n)  # type: ignore[misc]


def _number(claim: str) -> int:
    return sum(claim.encode())


def shown(conn: psycopg.Connection[Any]) -> list[tuple[int, str]]:
    return conn.execute("SELECT pgt_id, instance_id FROM pgtrickle.ownership").fetchall()


def test_two_that_count_differently_never_work_on_one_name(
    db: Database, peers: tuple[list[Peer], dict[str, int]]
) -> None:
    """And the view shows one owner of each, who is the one that works on it."""
    everyone, keys = peers
    chance = random.Random(28)
    claimed_twice = 0
    for _ in range(150):
        peer = chance.choice(everyone)
        match chance.randrange(4):
            case 0:
                wanted = chance.random()
                peer.arrange(keys, BUDGETS[chance.choice([*BUDGETS])], lambda _, w=wanted: chance.random() < w)  # type: ignore[misc]
            case 1:
                peer.begin(chance)
            case 2:
                peer.finish()
            case _:
                peer.settle()
        worked_on = [pgt_id for each in everyone for pgt_id in each.usable]
        assert len(worked_on) == len(set(worked_on))
        with db.connect() as conn:
            owners = shown(conn)
            claimed_twice += int(scalar(conn, "SELECT count(*) FROM pgtrickle._claims")) - len(owners)
        assert len(owners) == len(dict(owners)), "one owner of each"
        assert {(i, each.link.instance_id) for each in everyone for i in each.usable} <= set(owners)
    assert claimed_twice, "they never met: the test proves nothing"
    for shards in (8, 0):
        agree(everyone, keys, shards)
        for peer in everyone * 3:
            peer.finish()
            peer.settle()
        assert sorted(pgt_id for peer in everyone for pgt_id in peer.usable) == sorted(everyone[0].tables)


def test_not_even_at_the_same_moment(peers: tuple[list[Peer], dict[str, int]]) -> None:
    everyone, keys = peers
    chance = random.Random(29)
    barrier = threading.Barrier(len(everyone))

    def settle(peer: Peer) -> None:
        barrier.wait()
        peer.settle()

    both_blocked = 0
    with ThreadPoolExecutor(len(everyone)) as pool:
        for _ in range(60):
            for peer in everyone:
                peer.arrange(keys, BUDGETS[chance.choice([*BUDGETS])], lambda _: chance.random() < 0.7)
            list(pool.map(settle, everyone))
            worked_on = [pgt_id for peer in everyone for pgt_id in peer.usable]
            assert len(worked_on) == len(set(worked_on))
            both_blocked += len(set(worked_on)) < NAMES
    assert both_blocked, "they never met: the test proves nothing"


def test_a_new_name_in_a_shard_held_already_is_looked_at_too(peers: tuple[list[Peer], dict[str, int]]) -> None:
    """One that knows the name holds it by name; the other learns of it only after it took the shard."""
    (a, b, _), keys = peers
    new = max(keys)
    a.arrange({name: key for name, key in keys.items() if name != new}, BUDGETS[2], lambda _: True)
    b.arrange({new: keys[new]}, NAMES, lambda _: True)
    a.settle()
    b.settle()
    a.arrange(keys, BUDGETS[2], lambda _: True)
    a.settle()
    assert not a.usable & b.usable


def test_a_full_lock_table_loses_no_locks(db: Database) -> None:
    session = LockSession(db.url)
    with db.connect() as conn, db.superuser() as hoarder:
        with pytest.raises(psycopg.errors.OutOfMemory):
            hoarder.execute("SELECT pg_advisory_lock(2, n) FROM generate_series(1, 100000) AS n")
        with pytest.raises(psycopg.errors.OutOfMemory):
            session.take([LockName("g", f"name {number}") for number in range(3000)])
        hoarder.execute("SELECT pg_advisory_unlock_all()")
        assert advisory_locks(conn) == 0
        assert session.take([LockName("g", "name 1")])
    session.close()


def test_an_empty_layout_covers_nothing() -> None:
    assert Layout().share([], "a") == frozenset()
