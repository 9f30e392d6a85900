"""A reverse pipeline into a real inbox, with an origin that breaks and messages that nobody can take.

Lies it would catch: a message that is acknowledged and not in the inbox, one that is in it twice, one bad message that
keeps the others out, a bad message that cannot even be set aside.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.loops import in_loop
from support.pigeon import incoming
from support.relaying import Origin, asked, soon, taken_in

from trickle.relay.delivery import Retry
from trickle.relay.failures import Failure, FailureKind
from trickle.relay.message import Incoming
from trickle.relay.standing import State

QUICK = Retry(max_attempts=3, backoff_seconds=0.02, max_backoff_seconds=0.1)


def mail(numbers: Sequence[int], *, padding: int = 0) -> list[Incoming]:
    tail = b" " * padding
    return [incoming(b'{"n": %d%s}' % (n, tail), event_id=f"mail:{n}", key=f"k{n % 3}") for n in numbers]


@pytest.fixture
def inbox(db: Database) -> Database:
    with db.connect() as owner:
        owner.execute(
            "SELECT pgtrickle.set_relay_inbox('mail', 'mail', source => '{\"type\": \"stdin\"}', "
            "with_dead_letter => false)"
        )
    return db


def numbers(db: Database) -> list[int]:
    return sorted(int(row[0]) for row in asked(db, "SELECT payload ->> 'n' FROM pgtrickle.mail"))


def letters(db: Database) -> list[tuple[Any, ...]]:
    return asked(db, "SELECT event_id, kind, attempts FROM pgtrickle.pgt_relay_dead_letters ORDER BY letter_id")


@in_loop
async def test_each_event_is_taken_once(inbox: Database) -> None:
    origin = Origin([*mail(range(1_000)), *mail(range(500))], breaks_at_acknowledging=2)
    async with taken_in(inbox, origin, batch_size=300, half_open_seconds=0.2) as standing:
        await soon(lambda: not origin.waiting)
        assert numbers(inbox) == list(range(1_000))
        assert origin.opened == 3
    assert standing.published == 1_000
    assert standing.duplicates >= 500
    assert standing.state is State.STOPPED


@in_loop
async def test_large_messages_come_in_small_batches(inbox: Database) -> None:
    large = mail(range(100), padding=100_000)
    origin = Origin([*large, *mail(range(100, 5_000))])
    async with taken_in(inbox, origin, batch_size=500, max_in_flight_bytes=1_000_000):
        await soon(lambda: not origin.waiting, seconds=60)
    assert numbers(inbox) == list(range(5_000))
    assert max(origin.batches[:9]) <= 15 and max(origin.batches[1:9]) <= 10, "of 100 kB each"
    assert max(origin.batches) == 500, "of a few bytes each"


@in_loop
async def test_one_that_no_inbox_can_take_is_set_aside_alone(inbox: Database) -> None:
    """The table refuses it, not the relay; when the table is mended it arrives."""
    with inbox.connect() as owner:
        owner.execute("ALTER TABLE pgtrickle.mail ADD CONSTRAINT small CHECK ((payload ->> 'n')::int <> 41)")
    origin = Origin(mail(range(100)))
    async with taken_in(inbox, origin) as standing:
        await soon(lambda: not origin.waiting)
        assert numbers(inbox) == [n for n in range(100) if n != 41]
        assert letters(inbox) == [("mail:41", "protocol_rejection", 1)]
        asked(inbox, "SELECT pgtrickle.relay_dlq_retry_all('mail')")
        await soon(lambda: letters(inbox) == [("mail:41", "protocol_rejection", 2)], what="refused again")
        with inbox.connect() as owner:
            owner.execute("ALTER TABLE pgtrickle.mail DROP CONSTRAINT small")
        asked(inbox, "SELECT pgtrickle.relay_dlq_retry_all('mail')")
        await soon(lambda: not letters(inbox))
        assert numbers(inbox) == list(range(100))
        await soon(lambda: standing.redriven == 1)


_LONG = Random(1).randbytes(4_000).hex()


@pytest.mark.parametrize(
    "bad",
    [
        incoming(event_id="zero\0byte"),
        incoming(key="zero\0byte"),
        incoming(event_type="half \ud83d"),
        incoming(headers={"traceparent": "\0", "other\0": "\ud83d"}),
        incoming(payload=b'"\\u0000"'),
        incoming(payload=b'"\\ud83d"'),
        incoming(payload=b"{"),
        incoming(payload=b"[" * 100_000),
        incoming(event_id=_LONG),
        incoming(event_id=_LONG, payload=b"{"),
        incoming(payload=b"\xff", event_id="not utf-8"),
    ],
    ids=["id", "key", "type", "header", "zero", "half", "cut", "deep", "long", "long and cut", "bytes"],
)
@in_loop
async def test_whatever_is_wrong_with_it_the_others_get_in(inbox: Database, bad: Incoming) -> None:
    before = bad._replace(event_id=f"{bad.event_id}2")
    origin = Origin([*mail([1]), bad, before, *mail([2])])
    async with taken_in(inbox, origin, retry=QUICK, half_open_seconds=0.2) as standing:
        await soon(lambda: not origin.waiting, seconds=5, what=str(standing.reason))
        assert asked(inbox, "SELECT count(*) FROM pgtrickle.mail WHERE starts_with(event_id, 'mail:')") == [(2,)]
        assert len(letters(inbox)) == 2
        asked(inbox, "SELECT pgtrickle.relay_dlq_retry_all('mail')")
        # What was only unwritable arrives now, as far as it can be written.
        await soon(lambda: all(attempts == 2 for *_, attempts in letters(inbox)))


@in_loop
async def test_what_comes_twice_and_is_bad_is_set_aside_once(inbox: Database) -> None:
    origin = Origin([incoming(b"{", event_id="a"), incoming(b"[", event_id="a"), *mail([1])])
    async with taken_in(inbox, origin):
        await soon(lambda: not origin.waiting)
        assert letters(inbox) == [("a", "encoding", 1)]
        assert numbers(inbox) == [1]


@in_loop
async def test_what_is_filtered_out_is_received(inbox: Database) -> None:
    def accept(message: Incoming) -> Incoming | Failure | None:
        n = json.loads(message.payload)["n"]
        if n == 50:
            return Failure(FailureKind.ENCODING, "no such field")
        return message if n % 2 else None

    origin = Origin(mail(range(100)))
    async with taken_in(inbox, origin, accept=accept) as standing:
        await soon(lambda: not origin.waiting)
        assert numbers(inbox) == list(range(1, 100, 2))
        assert letters(inbox) == [("mail:50", "encoding", 1)]
    assert standing.filtered == 49


@in_loop
async def test_with_dead_letters_switched_off_a_bad_one_holds(inbox: Database) -> None:
    origin = Origin([*mail([1]), incoming(b"{", event_id="bad"), *mail([2])])
    async with taken_in(inbox, origin, buries=False, half_open_seconds=0.2) as standing:
        await soon(lambda: standing.state is State.HELD)
        assert "dead letters are switched off" in str(standing.reason)
        assert len(origin.waiting) == 3
        origin.waiting = [message for message in origin.waiting if message.event_id != "bad"]
        await soon(lambda: not origin.waiting)
    assert numbers(inbox) == [1, 2]
    assert not letters(inbox)


@in_loop
async def test_an_inbox_that_is_away_holds_and_nothing_is_set_aside(inbox: Database) -> None:
    with inbox.connect() as owner:
        owner.execute("ALTER TABLE pgtrickle.mail RENAME TO hidden")
    origin = Origin(mail(range(10)))
    async with taken_in(inbox, origin, half_open_seconds=0.2) as standing:
        await soon(lambda: standing.state is State.HELD)
        assert len(origin.waiting) == 10
        with inbox.connect() as owner:
            owner.execute("ALTER TABLE pgtrickle.hidden RENAME TO mail")
        await soon(lambda: not origin.waiting)
        await soon(lambda: standing.state is State.RUNNING)
    assert numbers(inbox) == list(range(10))
    assert not letters(inbox)


@in_loop
async def test_sessions_that_are_killed_cost_nothing(inbox: Database) -> None:
    origin = Origin(mail(range(5_000)))
    async with taken_in(inbox, origin, batch_size=100, half_open_seconds=0.2):
        for _ in range(5):
            with inbox.superuser() as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s "
                    "AND application_name = 'pg_trickle_relay'",
                    (inbox.name,),
                )
            taken = len(origin.acknowledged)
            await soon(lambda taken=taken: len(origin.acknowledged) > taken or not origin.waiting)  # type: ignore[misc]
        await soon(lambda: not origin.waiting)
    assert numbers(inbox) == list(range(5_000))


def test_letters_that_cannot_be_read_as_text_are_shown(inbox: Database) -> None:
    with inbox.connect() as owner, psycopg.ClientCursor(owner) as cursor:
        cursor.execute(
            'SELECT pgtrickle._relay_bury(\'mail\', \'[{"event_id": "a", "content_type": "x", "kind": "k", '
            '"reason": "r", "attempts": 1}]\', ARRAY[%s::bytea])',
            (b"\x00\xff",),
        )
        shown = owner.execute("SELECT payload, payload_bytes FROM pgtrickle.relay_dlq_list('mail')").fetchall()
    assert shown == [("\\000\\377", 2)]
