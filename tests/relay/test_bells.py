"""The bells of outboxes: whoever publishes never waits, and whoever waits is told, whenever it was published.

The sweep that finds what was missed is switched off, so that whatever arrives was heard.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.loops import in_loop
from support.relaying import Carried, Post, asked, carried, declare, hearing, publish, soon

from trickle.relay import bells as bells_module
from trickle.relay.bells import Bells

# On a machine with nothing else to do it is a few milliseconds, and one second where the bell is somebody else's.
SOON = 5.0


@pytest.fixture
def loud(db: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database whose publishers may notify, and nobody sweeps."""
    monkeypatch.setattr(bells_module, "SWEEP_SECONDS", float("inf"))
    with db.connect() as owner:
        owner.execute("SELECT pgtrickle.set_config('event_driven_wake', 'on')")
    declare(db)
    return db


@asynccontextmanager
async def asleep(db: Database, post: Post, bells: Bells, name: str = "box") -> AsyncIterator[Carried]:
    """A pipeline that has nothing to do, and has armed its bell."""
    async with carried(db, post, bells=bells, name=name) as pipeline:
        await soon(lambda: is_asleep(pipeline))
        yield pipeline


def is_asleep(pipeline: Carried) -> bool:
    return pipeline.forward._reader._is_asleep


def armed(db: Database) -> list[int]:
    """The sessions that hold a bell for themselves alone."""
    found = asked(
        db,
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted "
        "AND classid::int = pgtrickle._outbox_bell_class() "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    return [pid for (pid,) in found]


@in_loop
async def test_a_message_is_heard_whenever_it_is_published(loud: Database) -> None:
    """While the relay works, looks once more, arms, sleeps, or is waking up."""
    post, draw = Post(), random.Random(7)
    async with hearing(loud) as bells, asleep(loud, post, bells):
        for n in range(120):
            publish(loud, [n])
            await asyncio.sleep(draw.choice([0.0, 0.001, 0.003, 0.01, 0.03]))
            if n % 10 == 9:
                await soon(lambda n=n: len(post.arrived) == n + 1, seconds=SOON)  # type: ignore[misc]
    assert post.numbers == list(range(120))


@in_loop
async def test_transactions_that_were_under_way_are_heard_when_they_commit(loud: Database) -> None:
    """They have found the bell open, and hold it open: nobody relies on it before they are done."""
    post = Post()
    with loud.connect(autocommit=False) as early, loud.connect(autocommit=False) as late:
        async with hearing(loud) as bells, carried(loud, post, bells=bells):
            say(early, 0)
            publish(loud, [1])
            await soon(lambda: post.numbers == [1])
            say(late, 2)
            early.commit()
            await soon(lambda: post.numbers == [1, 0], seconds=SOON)
            late.commit()
            await soon(lambda: post.numbers == [1, 0, 2], seconds=SOON)


def say(conn: psycopg.Connection[Any], n: int) -> None:
    conn.execute("SELECT pgtrickle.publish('box', 'k', jsonb_build_object('n', %s::int))", (n,))


@in_loop
async def test_publishers_never_wait(loud: Database) -> None:
    """Neither for a bell that is armed nor for one another."""
    post = Post()
    async with hearing(loud) as bells, asleep(loud, post, bells):
        assert len(armed(loud)) == 1
        with loud.connect(autocommit=False) as one, loud.connect(autocommit=False) as two:
            for conn in (one, two):
                conn.execute("SET lock_timeout = '50ms'")
                conn.commit()
            for n in range(20):
                say(one, 2 * n)
                say(two, 2 * n + 1)
                one.commit()
                two.commit()
        await soon(lambda: len(post.arrived) == 40, seconds=SOON)


@in_loop
async def test_several_relays_listen_to_one_outbox(loud: Database) -> None:
    """One holds the bell, and the others hear it too."""
    names = ["box", "second", "third"]
    for name in names[1:]:
        asked(loud, "SELECT pgtrickle.set_relay_outbox(%s, 'box', sink => '{\"type\": \"stdout\"}')", name)
    posts = [Post() for _ in names]
    async with (
        hearing(loud) as one,
        hearing(loud) as two,
        hearing(loud) as three,
        listening(loud, posts[0], one, "box"),
        listening(loud, posts[1], two, "second"),
        listening(loud, posts[2], three, "third"),
    ):
        for n in range(30):
            publish(loud, [n])
            if n % 6 == 5:
                await soon(lambda n=n: [len(post.arrived) for post in posts] == [n + 1] * 3, seconds=SOON)  # type: ignore[misc]
        await soon(lambda: len(armed(loud)) == 1)


@asynccontextmanager
async def listening(db: Database, post: Post, bells: Bells, name: str) -> AsyncIterator[Carried]:
    """A pipeline of some name that reads the outbox `box`."""
    async with carried(db, post, bells=bells, name=name, outbox="box") as pipeline:
        yield pipeline


@in_loop
async def test_one_that_held_the_bell_dies(loud: Database) -> None:
    """The other relied on it, and arms it itself."""
    asked(loud, "SELECT pgtrickle.set_relay_outbox('second', 'box', sink => '{\"type\": \"stdout\"}')")
    post = Post()
    async with hearing(loud) as own, listening(loud, post, own, "second") as other:
        async with hearing(loud) as bells, asleep(loud, Post(), bells):
            await soon(lambda: is_asleep(other))
        publish(loud, [1])
        await soon(lambda: post.numbers == [1], seconds=SOON)
        await soon(lambda: len(armed(loud)) == 1)


@pytest.mark.parametrize("whose", ["listens", "holds the bell"])
@in_loop
async def test_a_session_that_is_lost_is_opened_anew(loud: Database, whose: str) -> None:
    post = Post()
    async with hearing(loud) as bells, asleep(loud, post, bells) as pipeline:
        (holder,) = armed(loud)
        question = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%%'"
        (listener,) = asked(loud, question + " AND pid <> pg_backend_pid() AND %s = 0", 0)[0]
        asked(loud, "SELECT pg_terminate_backend(%s)", listener if whose == "listens" else holder)
        publish(loud, [1])
        await soon(lambda: post.numbers == [1], seconds=SOON)
        await soon(lambda: armed(loud) not in ([], [holder]) and is_asleep(pipeline), what="armed anew")
        publish(loud, [2])
        await soon(lambda: post.numbers == [1, 2], seconds=SOON)


@in_loop
async def test_letters_that_were_asked_for_while_nobody_heard_are_tried(loud: Database) -> None:
    post = Post()
    async with hearing(loud) as bells, asleep(loud, post, bells):
        (holder,) = armed(loud)
        with loud.connect() as owner, owner.transaction():
            owner.execute(
                "SELECT pgtrickle._relay_bury('box', jsonb_build_array(jsonb_build_object('event_id', 'a', 'kind', "
                "'k', 'content_type', 'application/json', 'reason', 'r', 'attempts', 1, 'facts', jsonb_build_object("
                "'outbox_id', 1, 'event_id', 'a', 'created_at', now(), 'inserted_count', 1, 'deleted_count', 0, "
                "'is_jsonb', true))), ARRAY['{\"n\": 7}'::bytea])"
            )
            owner.execute("UPDATE pgtrickle.pgt_relay_dead_letters SET retry_at = now()")
        asked(loud, "SELECT pg_terminate_backend(%s)", holder)
        await soon(lambda: post.numbers == [7])


@in_loop
async def test_where_transactions_can_be_prepared_nobody_notifies(db: Database) -> None:
    """A transaction that has notified cannot be prepared: there the outbox is looked at, often."""
    declare(db)
    post = Post()
    async with hearing(db) as bells, asleep(db, post, bells):
        assert not armed(db)
        with db.connect(autocommit=False) as conn:
            for n in range(3):
                say(conn, n)
                conn.execute(f"PREPARE TRANSACTION 'p{n}'".encode())
                conn.commit()
        with db.connect() as conn:
            for n in (1, 0, 2):
                began = time.monotonic()
                conn.execute(f"COMMIT PREPARED 'p{n}'".encode())
                await soon(lambda n=n: post.numbers[-1:] == [n], seconds=SOON)  # type: ignore[misc]
                assert time.monotonic() - began < SOON
    assert sorted(post.numbers) == [0, 1, 2]


@in_loop
async def test_a_sleeper_hears_that_its_outbox_is_gone(db: Database) -> None:
    declare(db)
    async with hearing(db) as bells, asleep(db, Post(), bells) as pipeline:
        await soon(lambda: pipeline.forward._reader.is_exhausted)  # it has looked once more
        asked(db, "SELECT pgtrickle.drop_outbox('box')")
        await soon(lambda: "does not exist any more" in str(pipeline.standing.reason))
