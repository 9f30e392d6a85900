"""A forward pipeline on a real outbox, with a destination that refuses, is away, never answers, and comes back.

Lies it would catch: a message that is lost or overtaken, a backlog that is buried because nobody was there, one bad
message that holds the others, a place that passes what is not delivered.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from support.databases import Database
from support.loops import in_loop
from support.relaying import AWAY, REFUSED, Post, asked, carried, declare, plainly, publish, soon

from trickle.relay.delivery import Retry
from trickle.relay.failures import Failure, FailureKind
from trickle.relay.letters import DeadLetters, Letter
from trickle.relay.message import Message, Outgoing
from trickle.relay.standing import State

QUICK = Retry(max_attempts=3, backoff_seconds=0.02, max_backoff_seconds=0.1)


def number(message: Outgoing | Message) -> int:
    return int(json.loads(message.body if isinstance(message, Outgoing) else message.payload)["n"])


def assert_in_order(numbers: Sequence[int], keys: int) -> None:
    """First arrivals of each key come in the order in which they were published."""
    for key in range(keys):
        mine = [one for one in dict.fromkeys(numbers) if one % keys == key]
        assert mine == sorted(mine)


def letters(db: Database) -> list[tuple[Any, ...]]:
    return asked(db, "SELECT (convert_from(payload, 'UTF8')::jsonb ->> 'n')::int, kind, reason, attempts FROM "
                 "pgtrickle.pgt_relay_dead_letters ORDER BY 1")  # fmt: skip


def lag(db: Database) -> int:
    return int(asked(db, "SELECT lag FROM pgtrickle.relay_status()")[0][0])


@pytest.mark.parametrize("keeps_order", [True, False])
@in_loop
async def test_one_poisoned_among_ten_thousand(db: Database, keeps_order: bool) -> None:
    """The others arrive in order; it is set aside with its reason, and arrives when the destination is mended."""
    declare(db)
    publish(db, range(10_000), keys=500)
    bad = {4_711}
    post = Post(keeps_order, judge=lambda message: REFUSED if number(message) in bad else None)
    async with carried(db, post) as pipeline:
        await soon(lambda: len(post.arrived) >= 9_999, seconds=60)
        await soon(lambda: lag(db) == 0)
        assert sorted(post.numbers) == [n for n in range(10_000) if n != 4_711]
        assert_in_order(post.numbers, 500)
        assert letters(db) == [(4_711, "protocol_rejection", "it does not like it", 1)]
        bad.clear()
        asked(db, "SELECT pgtrickle.relay_dlq_retry_all('box')")
        await soon(lambda: post.numbers[-1:] == [4_711])
        await soon(lambda: not letters(db))
    assert pipeline.standing.redriven == 1
    assert pipeline.standing.state is State.STOPPED


@in_loop
async def test_what_cannot_be_encoded_is_set_aside_and_what_is_filtered_out_is_done(db: Database) -> None:
    declare(db)
    publish(db, range(300), keys=3)

    def encode(message: Message) -> Sequence[Outgoing] | Failure:
        if number(message) == 100:
            return Failure(FailureKind.ENCODING, "no such field")
        return plainly(message) if number(message) % 2 else ()

    post = Post()
    async with carried(db, post, encode=encode) as pipeline:
        await soon(lambda: lag(db) == 0)
        assert post.numbers == list(range(1, 300, 2))
        assert letters(db) == [(100, "encoding", "no such field", 1)]
        assert (pipeline.standing.filtered, pipeline.standing.consumed) == (149, 300)


@in_loop
async def test_a_destination_that_is_away_holds_everything_and_loses_nothing(db: Database) -> None:
    declare(db)
    publish(db, range(3_000), keys=7)
    post = Post()
    async with carried(db, post, retry=QUICK, half_open_seconds=0.2, batch_size=100, max_in_flight=400) as pipeline:
        await soon(lambda: len(post.arrived) >= 300)
        post.is_away = True
        await soon(lambda: pipeline.standing.circuit in ("open", "half_open"))
        assert pipeline.standing.state is State.HELD
        assert "unavailable" in str(pipeline.standing.reason)
        assert pipeline.standing.in_hand <= 400
        assert lag(db) > 0
        post.is_away = False
        await soon(lambda: lag(db) == 0)
        assert pipeline.standing.state is State.RUNNING
        assert pipeline.standing.circuit == "closed"
    assert sorted(set(post.numbers)) == list(range(3_000))
    assert_in_order(post.numbers, 7)
    assert not letters(db)


@in_loop
async def test_a_destination_that_refuses_everything_in_passing_is_away_too(db: Database) -> None:
    """It can be connected to, and answers each message with a failure: that is nobody's fault."""
    declare(db)
    publish(db, range(200), keys=5)
    away = [AWAY]
    post = Post(keeps_order=False, judge=lambda message: away[0])
    async with carried(db, post, retry=QUICK, half_open_seconds=0.1) as pipeline:
        await soon(lambda: pipeline.standing.failures["unavailable"] > 60)
        assert pipeline.standing.state is State.HELD
        assert not letters(db)
        away[0] = None
        await soon(lambda: lag(db) == 0)
    assert sorted(post.numbers) == list(range(200))
    assert_in_order(post.numbers, 5)
    assert not letters(db)


@in_loop
async def test_one_that_always_fails_while_others_pass_is_buried(db: Database) -> None:
    declare(db)
    post = Post(keeps_order=False, judge=lambda message: AWAY if number(message) == 3 else None)
    async with carried(db, post, retry=QUICK, half_open_seconds=0.2):
        for start in range(0, 1000, 10):
            publish(db, range(start, start + 10), keys=10)
            if letters(db):
                break
            await asyncio.sleep(0.05)
        await soon(lambda: lag(db) == 0)
        ((number_of_it, kind, _, attempts),) = letters(db)
        assert (number_of_it, kind) == (3, "unavailable")
        assert attempts >= 3
    assert_in_order(post.numbers, 10)


@in_loop
async def test_a_single_bad_one_does_not_keep_the_circuit_open(db: Database) -> None:
    """It failed alone so often that the circuit is open; what comes then goes first, and is accepted."""
    declare(db)
    publish(db, [0], keys=2)
    post = Post(keeps_order=False, judge=lambda message: AWAY if number(message) == 0 else None)
    async with carried(db, post, retry=QUICK, half_open_seconds=0.3) as pipeline:
        await soon(lambda: pipeline.standing.circuit in ("open", "half_open"))
        publish(db, [1, 3, 5], keys=2)
        await soon(lambda: post.numbers == [1, 3, 5], seconds=5)
        assert not letters(db)


@in_loop
async def test_so_many_a_second(db: Database) -> None:
    declare(db)
    publish(db, range(60), keys=4)
    post = Post()
    began = time.monotonic()
    async with carried(db, post, messages_per_second=50.0, burst=10.0):
        await soon(lambda: len(post.arrived) >= 60)
        assert time.monotonic() - began >= 0.95 * (60 - 10) / 50
    assert post.largest <= 10


@in_loop
async def test_with_dead_letters_switched_off_the_first_one_holds(db: Database) -> None:
    """Nothing goes out twice meanwhile, and once it is accepted everything goes on."""
    declare(db)
    publish(db, range(1_000), keys=10)
    bad = {205}
    post = Post(keeps_order=False, judge=lambda message: REFUSED if number(message) in bad else None)
    limits = {"batch_size": 10, "max_in_flight": 100, "buries": False, "retry": QUICK}
    async with carried(db, post, **limits) as pipeline:
        await soon(lambda: pipeline.standing.failures["protocol_rejection"] > 5)
        assert pipeline.standing.state is State.HELD
        assert pipeline.standing.reason == "protocol_rejection: it does not like it; dead letters are switched off"
        assert len(post.arrived) < 400
        assert len(post.arrived) == len(set(post.numbers))
        assert not any(one > 205 for one in post.numbers if one % 10 == 5)
        bad.clear()
        await soon(lambda: lag(db) == 0)
        assert pipeline.standing.state is State.RUNNING
    assert sorted(post.numbers) == list(range(1_000))
    assert_in_order(post.numbers, 10)
    assert not letters(db)


@in_loop
async def test_one_that_cannot_be_encoded_holds_where_dead_letters_are_switched_off(db: Database) -> None:
    declare(db)
    publish(db, range(20))

    def encode(message: Message) -> Sequence[Outgoing] | Failure:
        return Failure(FailureKind.ENCODING, "no such field") if number(message) == 10 else plainly(message)

    post = Post()
    async with carried(db, post, encode=encode, buries=False, max_in_flight=4, batch_size=2) as pipeline:
        await soon(lambda: pipeline.standing.state is State.HELD)
        await soon(lambda: lag(db) == 10, what="what was before it is done")
        assert post.numbers == list(range(10))
    assert lag(db) == 10


@in_loop
async def test_no_more_is_read_than_may_be_in_hand(db: Database) -> None:
    declare(db)
    publish(db, range(2_000), keys=3)
    post = Post()
    post.answers.clear()
    async with carried(db, post, batch_size=50, max_in_flight=100) as pipeline:
        await soon(lambda: post.sent >= 100)
        await asyncio.sleep(0.3)
        assert pipeline.standing.consumed == 100
        post.answers.set()
        await soon(lambda: lag(db) == 0)
    assert post.numbers == list(range(2_000))


@in_loop
async def test_no_more_bytes_are_read_than_may_be_in_hand(db: Database) -> None:
    declare(db)
    with db.connect() as owner:
        owner.execute(
            "SELECT pgtrickle.publish('box', 'k', jsonb_build_object('n', n, 'x', (SELECT string_agg(md5(n || 'x' || "
            "i), '') FROM generate_series(1, 300) i))) FROM generate_series(0, 99) n"
        )
    post = Post()
    post.answers.clear()
    async with carried(db, post, max_in_flight_bytes=100_000) as pipeline:
        await soon(lambda: post.sent >= 5)
        await asyncio.sleep(0.3)
        assert pipeline.standing.consumed <= 22
        post.answers.set()
        await soon(lambda: lag(db) == 0)
    assert post.numbers == list(range(100))


@in_loop
async def test_stopping_waits_for_what_is_on_its_way(db: Database) -> None:
    declare(db)
    publish(db, range(1_000))
    post = Post()
    post.answers.clear()
    async with carried(db, post, batch_size=10, max_in_flight=100) as pipeline:
        await soon(lambda: post.sent >= 40)
        pipeline.forward.stop()
        await asyncio.sleep(0.1)
        assert not pipeline.task.done()
        post.answers.set()
        async with asyncio.timeout(10):
            await pipeline.task
    assert post.numbers == list(range(40))
    assert lag(db) == 960, "its place is stored"


@in_loop
async def test_stopping_ends_though_the_destination_never_answers(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a pipeline whose destination hangs could not even be changed."""
    monkeypatch.setattr("trickle.relay.forward._DRAIN_SECONDS", 0.3)
    declare(db)
    publish(db, range(100))
    post = Post()
    post.answers.clear()
    async with carried(db, post, batch_size=10) as pipeline:
        await soon(lambda: post.sent >= 10)
        pipeline.forward.stop()
        async with asyncio.timeout(10):
            await pipeline.task
        assert not post.arrived
    assert lag(db) == 100


@in_loop
async def test_stopping_does_not_wait_for_a_connection(db: Database) -> None:
    declare(db)
    forever = asyncio.Event()

    class Silent(Post):
        def make(self) -> Any:
            sink = super().make()
            sink.open = forever.wait  # type: ignore[method-assign, assignment]
            return sink

    async with carried(db, Silent()) as pipeline:
        await asyncio.sleep(0.2)
        pipeline.forward.stop()
        async with asyncio.timeout(5):
            await pipeline.task


@in_loop
async def test_a_session_that_is_killed_in_the_middle(db: Database) -> None:
    """Again and again, while messages are published: at least once, and in order."""
    declare(db)
    post = Post()
    async with carried(db, post, batch_size=20, max_in_flight=100):
        for start in range(0, 2_000, 100):
            publish(db, range(start, start + 100), keys=5)
            if start % 400 == 0:
                with db.superuser() as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s "
                        "AND application_name = 'pg_trickle_relay'",
                        (db.name,),
                    )
            await asyncio.sleep(0.02)
        await soon(lambda: len(set(post.numbers)) == 2_000, seconds=60)
        await soon(lambda: lag(db) == 0)
    assert_in_order(post.numbers, 5)


@in_loop
async def test_a_place_that_is_set_by_hand_is_where_it_goes_on(db: Database) -> None:
    declare(db)
    publish(db, range(50))
    post = Post()
    async with carried(db, post):
        await soon(lambda: len(post.arrived) == 50)
        await soon(lambda: lag(db) == 0)
        last = asked(db, "SELECT max(id) FROM pgtrickle.outbox_box")[0][0]
        asked(db, "SELECT pgtrickle.seek_offset('box', 'me', %s)", last - 10)
        publish(db, [50])
        await soon(lambda: post.numbers[-1] == 50 and len(post.arrived) > 51)
        # What was published after the place was moved is delivered with what is delivered again.
        await soon(lambda: sorted(post.numbers[-11:]) == list(range(40, 51)))
        await soon(lambda: lag(db) == 0)


@in_loop
async def test_an_outbox_that_is_dropped_and_made_again(db: Database) -> None:
    declare(db)
    publish(db, range(10))
    post = Post()
    async with carried(db, post) as pipeline:
        await soon(lambda: len(post.arrived) == 10)
        asked(db, "SELECT pgtrickle.drop_outbox('box')")
        await soon(lambda: pipeline.standing.state is State.HELD)
        await soon(lambda: "does not exist any more" in str(pipeline.standing.reason))
        declare(db)
        publish(db, range(10, 20))
        await soon(lambda: len(post.arrived) == 20)
        await soon(lambda: pipeline.standing.state is State.RUNNING)
    assert post.numbers == list(range(20))


@pytest.mark.parametrize("crashes", [False, True])
@in_loop
async def test_a_letter_that_breaks_the_connection_keeps_no_message_waiting(db: Database, crashes: bool) -> None:
    declare(db)
    publish(db, range(10), keys=10)
    refuses, breaks = {3}, set[int]()
    post = Post(
        judge=lambda message: REFUSED if number(message) in refuses else None,
        breaks=lambda message: number(message) in breaks,
        crashes=crashes,
    )
    async with carried(db, post, retry=QUICK, half_open_seconds=0.5):
        await soon(lambda: len(letters(db)) == 1)
        breaks.add(3)
        asked(db, "SELECT pgtrickle.relay_dlq_retry_all('box')")
        await soon(lambda: post.opened > 1)
        publish(db, range(10, 500), keys=10)
        await soon(lambda: set(post.numbers) == set(range(500)) - {3})
        breaks.clear()
        refuses.clear()
        await soon(lambda: not letters(db))
    assert set(post.numbers) == set(range(500))


@in_loop
async def test_a_letter_that_is_asked_for_while_others_are_looked_for_is_tried(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(db)
    publish(db, range(3))
    bad = {1}
    post = Post(judge=lambda message: REFUSED if number(message) in bad else None)
    async with carried(db, post, retry=QUICK):
        await soon(lambda: len(letters(db)) == 1)
    bad.clear()
    look, looks = DeadLetters.asked_for, 0

    async def slowly(self: DeadLetters) -> Sequence[Letter]:
        nonlocal looks
        found = await look(self)
        looks += 1
        if looks == 1:
            asked(db, "SELECT pgtrickle.relay_dlq_retry_all('box')")
            await asyncio.sleep(0.3)  # for as long as it takes to be told of it
        return found

    monkeypatch.setattr(DeadLetters, "asked_for", slowly)
    async with carried(db, post, retry=QUICK):
        await soon(lambda: not letters(db))
    assert sorted(post.numbers) == [0, 1, 2]


@in_loop
async def test_all_letters_are_tried_again_however_many(db: Database) -> None:
    declare(db)
    publish(db, range(250), keys=10)
    bad = {*range(250)}
    post = Post(judge=lambda message: REFUSED if number(message) in bad else None)
    async with carried(db, post, retry=QUICK):
        await soon(lambda: len(letters(db)) == 250)
        bad = {7}
        asked(db, "SELECT pgtrickle.relay_dlq_retry_all('box')")
        await soon(lambda: len(post.arrived) == 249)
        await soon(lambda: letters(db) == [(7, "protocol_rejection", "it does not like it", 2)])
        assert post.numbers == [n for n in range(250) if n != 7], "in the order in which they came"


@in_loop
async def test_letters_are_kept_as_long_as_the_pipeline_says(db: Database) -> None:
    declare(db)
    publish(db, range(3))
    post = Post(judge=lambda message: REFUSED)
    async with carried(db, post, keep_letters_days=0):
        await soon(lambda: len(letters(db)) == 3)
    asked(db, "UPDATE pgtrickle.pgt_relay_dead_letters SET failed_at = now() - interval '9 days' RETURNING 1")
    publish(db, [3])
    async with carried(db, post, keep_letters_days=0):
        await soon(lambda: len(letters(db)) == 4)
    publish(db, [4])
    async with carried(db, post, keep_letters_days=7):
        await soon(lambda: [one[0] for one in letters(db)] == [3, 4])


@in_loop
async def test_one_of_a_key_at_a_time_where_the_destination_needs_that(db: Database) -> None:
    declare(db)
    publish(db, range(500), keys=5)
    post = Post(keeps_order=False)
    async with carried(db, post, batch_size=100):
        await soon(lambda: lag(db) == 0)
    assert post.largest <= 5
    assert_in_order(post.numbers, 5)


@pytest.mark.parametrize(("ordering", "expected"), [("all", 1), ("none", 100)])
@in_loop
async def test_an_order_of_all_messages_or_of_none(db: Database, ordering: str, expected: int) -> None:
    declare(db)
    publish(db, range(300), keys=5)
    post = Post(keeps_order=False)
    async with carried(db, post, batch_size=100, ordering=ordering):
        await soon(lambda: lag(db) == 0)
    assert post.largest == expected
    assert sorted(post.numbers) == list(range(300))
    if ordering == "all":
        assert all(earlier < later for earlier, later in pairwise(post.numbers))
