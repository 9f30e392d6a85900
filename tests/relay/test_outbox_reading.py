"""An outbox read as one pipeline, while others publish, commit late, roll back, and the reader begins anew.

Lies it would catch: a transaction that commits late and is skipped, a message of one that was rolled back, a message
twice, a place that an earlier carrier moves, a large delta that is cut.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.databases import Database
from support.loops import in_loop

from trickle import connect
from trickle.db.pool import AsyncPool, make_pool
from trickle.relay import outbox as outboxes
from trickle.relay.outbox import Outbox, Read, Superseded
from trickle.relay.protocol import Claim

Conn = psycopg.Connection[Any]

_MANY = 1 << 30
_SESSIONS = st.integers(0, 2)
_DEEDS = st.one_of(
    st.tuples(st.just("publish"), _SESSIONS),
    st.tuples(st.just("publish and take back"), _SESSIONS),
    st.tuples(st.just("commit"), _SESSIONS),
    st.tuples(st.just("roll back"), _SESSIONS),
    st.tuples(st.just("read"), st.integers(1, 4)),
    st.tuples(st.just("checkpoint"), st.just(0)),
    st.tuples(st.just("begin anew"), st.just(0)),
)
_numbers = itertools.count(1)


class Publisher:
    """A session with a transaction of its own."""

    def __init__(self, conn: Conn, name: str, clock: Iterator[int]) -> None:
        self._conn = conn
        self._name = name
        self._clock = clock
        self._open: list[tuple[str, int]] = []
        self.told: dict[str, tuple[int, int]] = {}  # of what is committed: when it was published, and when committed

    def publish(self) -> None:
        self._open.append((self._said(), next(self._clock)))

    def publish_and_take_back(self) -> None:
        self._conn.execute("SAVEPOINT here")
        self._said()
        self._conn.execute("ROLLBACK TO here")

    def commit(self) -> None:
        began = next(self._clock)
        self._conn.commit()
        self.told.update((event_id, (at, began)) for event_id, at in self._open)
        self._open.clear()

    def roll_back(self) -> None:
        self._conn.rollback()
        self._open.clear()

    def _said(self) -> str:
        row = self._conn.execute("SELECT pgtrickle.publish(%s, 'k', '{}')::text", (self._name,)).fetchone()
        assert row is not None
        return str(row[0])


class Reader:
    """Reads in pieces, and forgets what it read after its checkpoint when it begins anew."""

    def __init__(self, pool: AsyncPool, name: str) -> None:
        self._pool = pool
        self._name = name
        self.read: list[Read] = []
        self._kept = 0

    async def begin(self) -> None:
        self._outbox = Outbox(self._pool, self._name, self._name)
        await self._outbox.begin()
        del self.read[self._kept :]

    async def take(self, most: int, most_bytes: int = _MANY) -> int:
        reads = await self._outbox.read(most, most_bytes)
        self.read += reads
        return len(reads)

    async def checkpoint(self, through: int | None = None) -> None:
        """Of everything, or of the first so many."""
        count = len(self.read) if through is None else through
        place = self.read[count - 1].place if count else None
        if place is not None:
            await self._outbox.checkpoint(place)
            self._kept = count

    @property
    def events(self) -> list[str]:
        return [message.event_id for message, _ in self.read]


@asynccontextmanager
async def pool_of(db: Database) -> AsyncIterator[AsyncPool]:
    async with make_pool(db.url, role="relay", most=2) as pool:
        yield pool


def declare(db: Database, name: str) -> None:
    with db.connect() as owner:
        owner.execute("SELECT pgtrickle.create_outbox(%s)", (name,))
        owner.execute('SELECT pgtrickle.set_relay_outbox(%s, %s, sink => \'{"type": "stdout"}\')', (name, name))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(deeds=st.lists(_DEEDS, max_size=40))
def test_what_is_committed_is_read_once_whenever_it_commits(db: Database, deeds: list[tuple[str, int]]) -> None:
    name, clock = f"box_{next(_numbers)}", itertools.count()
    declare(db, name)

    async def act(publishers: list[Publisher]) -> None:
        async with pool_of(db) as pool:
            reader = Reader(pool, name)
            await reader.begin()
            for deed, number in deeds:
                match deed:
                    case "publish":
                        publishers[number].publish()
                    case "publish and take back":
                        publishers[number].publish_and_take_back()
                    case "commit":
                        publishers[number].commit()
                    case "roll back":
                        publishers[number].roll_back()
                    case "read":
                        await reader.take(number)
                    case "checkpoint":
                        await reader.checkpoint()
                    case "begin anew":
                        await reader.begin()
            for publisher in publishers[1:]:
                publisher.commit()
            publishers[0].roll_back()
            while await reader.take(2):
                pass
            check(reader.events, {**publishers[0].told, **publishers[1].told, **publishers[2].told})

    with (
        db.connect(autocommit=False) as one,
        db.connect(autocommit=False) as two,
        db.connect(autocommit=False) as three,
    ):
        asyncio.run(act([Publisher(conn, name, clock) for conn in (one, two, three)]))


def check(events: list[str], told: dict[str, tuple[int, int]]) -> None:
    """Each once; and what was committed before another was published comes before it."""
    assert sorted(events) == sorted(told)
    for earlier, later in itertools.combinations(events, 2):
        published_earlier, committed_later = told[earlier][0], told[later][1]
        assert not committed_later < published_earlier


@in_loop
async def test_a_piece_ends_where_its_bytes_do(db: Database) -> None:
    declare(db, "box")
    with db.connect() as owner:
        for _ in range(5):
            owner.execute("SELECT pgtrickle.publish('box', 'k', jsonb_build_object('a', repeat(md5('x'), 100)))")
    async with pool_of(db) as pool:
        reader = Reader(pool, "box")
        await reader.begin()
        assert await reader.take(10, 1) == 1, "one at least"
        size = len(reader.read[0].message.payload)
        assert await reader.take(10, 3 * size) in (2, 3, 4), "stored they may be smaller"
        while await reader.take(10, 1):
            pass
        assert len(set(reader.events)) == 5


@in_loop
async def test_an_earlier_carrier_moves_nothing(db: Database) -> None:
    declare(db, "box")
    with db.connect() as owner:
        for _ in range(4):
            owner.execute("SELECT pgtrickle.publish('box', 'k', '{}')")
    async with pool_of(db) as pool:
        frozen, fresh = Reader(pool, "box"), Reader(pool, "box")
        await frozen.begin()
        await frozen.take(10)
        await fresh.begin()
        await fresh.take(10)
        await fresh.checkpoint()
        with pytest.raises(Superseded):
            await frozen.checkpoint(1)
        await fresh.begin()
        assert await fresh.take(10) == 0


@in_loop
async def test_a_carrier_of_a_pipeline_that_was_made_anew_moves_nothing(db: Database) -> None:
    """Its number is never given again, though the new place begins to count from the start."""
    declare(db, "box")
    async with pool_of(db) as pool:
        frozen, fresh = Reader(pool, "box"), Reader(pool, "box")
        await frozen.begin()
        with db.connect() as owner:
            owner.execute("SELECT pgtrickle.publish('box', 'k', '{}')")
            await frozen.take(10)
            owner.execute("SELECT pgtrickle.delete_relay('box')")
            owner.execute("SELECT pgtrickle.set_relay_outbox('box', 'box', sink => '{\"type\": \"stdout\"}')")
        await fresh.begin()
        with pytest.raises(Superseded):
            await frozen.checkpoint()


@in_loop
async def test_without_the_claim_nobody_begins(db: Database) -> None:
    declare(db, "box")
    async with pool_of(db) as pool:
        with db.connect() as locks:
            locks.execute("SELECT pg_advisory_lock(hashtext('blue'), hashtext('box'))")
            claim = Claim("blue", locks.info.backend_pid)
            await Outbox(pool, "box", "box", claim).begin()
            locks.execute("SELECT pg_advisory_unlock_all()")
            with pytest.raises(psycopg.errors.ObjectInUse, match="not ours any more"):
                await Outbox(pool, "box", "box", claim).begin()


@in_loop
async def test_a_group_that_is_moved_begins_there(db: Database) -> None:
    declare(db, "box")
    with db.connect() as owner:
        for _ in range(6):
            owner.execute("SELECT pgtrickle.publish('box', 'k', '{}')")
        async with pool_of(db) as pool:
            reader = Reader(pool, "box")
            await reader.begin()
            await reader.take(10)
            await reader.checkpoint()
            ids = [message.outbox_id for message, _ in reader.read]
            owner.execute("SELECT pgtrickle.seek_offset('box', 'by hand', %s)", (ids[2],))
            with pytest.raises(Superseded):
                await reader.checkpoint()
            again = Reader(pool, "box")
            await again.begin()
            await again.take(10)
            assert [message.outbox_id for message, _ in again.read] == ids[3:]


@in_loop
async def test_a_forced_retention_keeps_what_is_not_delivered(db: Database) -> None:
    declare(db, "box")
    with db.connect() as owner:
        owner.execute("SELECT pgtrickle.set_config('outbox_force_retention', 'on')")
        for _ in range(6):
            owner.execute("SELECT pgtrickle.publish('box', 'k', '{}')")
        owner.execute("UPDATE pgtrickle.outbox_box SET created_at = now() - interval '9 days'")
        async with pool_of(db) as pool:
            reader = Reader(pool, "box")
            await reader.begin()
            await reader.take(4)
            await reader.checkpoint(3)
            assert owner.execute("SELECT pgtrickle._drain_outboxes()").fetchone() == (3,)
            await reader.begin()
            while await reader.take(10):
                pass
            assert len(reader.events) == 6
            await reader.checkpoint()
            assert owner.execute("SELECT pgtrickle._drain_outboxes()").fetchone() == (3,)


@in_loop
async def test_an_outbox_that_is_gone_says_what_to_do(db: Database) -> None:
    declare(db, "box")
    with db.connect() as owner:
        owner.execute("SELECT pgtrickle.drop_outbox('box')")
    async with pool_of(db) as pool:
        with pytest.raises(psycopg.errors.UndefinedObject, match="outbox box of pipeline box") as caught:
            await Outbox(pool, "box", "box").begin()
    assert "set_relay_outbox" in str(caught.value.diag.message_hint)


@pytest.mark.parametrize("rows", [2, 10, 11, 30])
def test_a_large_delta_comes_in_parts(db: Database, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which only the last has a place; one that is cut off in the middle begins with its first part again."""
    monkeypatch.setattr(outboxes, "ROWS_IN_A_PART", 10)

    async def read() -> None:
        async with pool_of(db) as pool:
            reader = Reader(pool, "sums")
            await reader.begin()
            while await reader.take(10):
                pass
            told = [json.loads(message.payload)["inserted"] for message, _ in reader.read]
            assert sorted(row["id"] for part in told[:-1] for row in part) == list(range(1, rows + 1))
            assert told[-1] == [{"id": 1000}], "and what comes after it follows"
            parts = [message for message, _ in reader.read[:-1]]
            assert [part.headers["last-part"] for part in parts] == [*["false"] * (len(parts) - 1), "true"]
            assert [part.event_id.rpartition(".")[2] for part in parts] == [str(n) for n in range(len(parts))]
            assert [place is None for _, place in reader.read[:-1]] == [*[True] * (len(parts) - 1), False]
            assert len(parts) == -(-rows // 10), "none of them is empty"
            assert sum(part.inserted_count for part in parts) == rows
            await reader.checkpoint(max(0, len(parts) - 1))
            before = reader.events
            await reader.begin()
            while await reader.take(10):
                pass
            assert reader.events == before

    with db.connect() as owner, connect(db.url) as client:
        owner.execute("CREATE TABLE numbers (id int PRIMARY KEY)")
        client.create_stream_table("sums", "SELECT id FROM numbers", refresh_mode="DIFFERENTIAL")
        owner.execute("SELECT pgtrickle.set_config('outbox_inline_threshold_rows', '1')")
        owner.execute("SELECT pgtrickle.set_relay_outbox('sums', 'sums', sink => '{\"type\": \"stdout\"}')")
        owner.execute("INSERT INTO numbers SELECT generate_series(1, %s)", (rows,))
        owner.execute("SELECT pgtrickle.refresh_stream_table('sums')")
        owner.execute("INSERT INTO numbers VALUES (1000)")
        owner.execute("SELECT pgtrickle.refresh_stream_table('sums')")
    asyncio.run(read())
