"""PostgreSQL as destination and as origin, on a real server that refuses, dies and freezes.

They would catch: a message that arrives twice or not at all, a batch that fails for one of its rows, one that overtakes
a broken one, data in an error, an offset that passes what is not in the inbox.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.databases import Database
from support.frozen import freeze
from support.outgoing import PUBLISHED, outgoing
from support.pooler import Pooler

from trickle.errors import ConfigurationError
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.message import Incoming, Outgoing
from trickle.relay.sinks import postgres as sinks
from trickle.relay.sinks.postgres import PostgresSink
from trickle.relay.sources import postgres as sources
from trickle.relay.sources.postgres import PostgresSource
from trickle.relay.window import Window


@asynccontextmanager
async def sink(url: str, **options: Any) -> AsyncIterator[PostgresSink]:
    made = PostgresSink(sinks.PostgresOptions(url=url, **options))
    try:
        await made.open()
        yield made
    finally:
        await made.close()


def send(url: str, messages: Sequence[Outgoing], **options: Any) -> dict[int, FailureKind]:
    async def run() -> dict[int, FailureKind]:
        async with sink(url, **options) as made:
            failures = await made.send(messages)
        assert not any("secret" in failure.reason for failure in failures.values())
        return {index: failure.kind for index, failure in failures.items()}

    return asyncio.run(run())


def refused(url: str, **options: Any) -> FailureKind:
    with pytest.raises(ConnectorError) as caught:
        send(url, [outgoing(1)], **options)
    return caught.value.failure.kind


def rows(db: Database, query: str) -> list[tuple[Any, ...]]:
    with db.connect() as owner:
        return owner.execute(query.encode()).fetchall()


@pytest.fixture
def inbox(db: Database) -> Database:
    with db.connect() as owner:
        owner.execute("SELECT pgtrickle.create_inbox('orders', with_dead_letter => false, with_stats => false)")
    return db


def test_an_inbox_gets_each_message_once(inbox: Database) -> None:
    about = {"event_type": "made", "source": "shop", "trace_id": "t1", "other": "x"}
    messages = [outgoing(n, key=f"k{n % 2}", headers=about if n == 0 else {}) for n in range(5)]
    assert send(inbox.url, [*messages, messages[2]], inbox="orders") == {}
    assert send(inbox.url, [*messages, outgoing(5)], inbox="orders") == {}
    found = rows(
        inbox,
        "SELECT event_id, event_type, source, aggregate_id, payload, trace_id FROM pgtrickle.orders ORDER BY event_id",
    )
    assert found[0] == ("event-0", "made", "shop", "k0", {"n": 0}, "t1")
    assert found[1] == ("event-1", None, None, "k1", {"n": 1}, None)
    assert [row[0] for row in found] == [f"event-{n}" for n in range(6)]


def test_rows_that_break_a_rule_stand_alone(inbox: Database) -> None:
    messages = [outgoing(n) for n in range(50)]
    messages[7] = outgoing(7, body=b"secret, not JSON")
    messages[8] = outgoing(8, body=b'{"secret": "\\u0000"}')
    messages[30] = outgoing(30, body=b"\xff secret")
    messages[31] = outgoing(31, body=b"a \0 secret")
    messages[49] = outgoing(49, key="secret \0")
    assert send(inbox.url, messages, inbox="orders") == {
        7: FailureKind.REJECTED,
        8: FailureKind.REJECTED,
        30: FailureKind.ENCODING,
        31: FailureKind.ENCODING,
        49: FailureKind.ENCODING,
    }
    assert rows(inbox, "SELECT count(*) FROM pgtrickle.orders") == [(45,)]


def test_a_table_of_ones_own(db: Database) -> None:
    with db.connect() as owner:
        owner.execute(
            'CREATE TABLE "Shop events" (n int GENERATED ALWAYS AS IDENTITY, id varchar(8) UNIQUE, body bytea, '
            "kind text, k text, h jsonb, tenant int NOT NULL CHECK (tenant > 0), at timestamptz, o bigint, a text)"
        )
    columns = {
        "event_id": "id",
        "payload": "body",
        "content_type": "kind",
        "key": "k",
        "headers": "h",
        "headers.tenant": "tenant",
        "created_at": "at",
        "outbox_id": "o",
    }
    options = {"table": '"Shop events"', "columns": columns}
    messages = [outgoing(n, body=b"\x00\xff", content_type="x/y", headers={"tenant": "7"}, key="k") for n in (1, 2)]
    messages += [outgoing(3, headers={"tenant": "0"}), outgoing(4), outgoing(5, headers={"tenant": "secret"})]
    messages += [outgoing(100, headers={"tenant": "1"})]
    kinds = dict.fromkeys((2, 3, 4, 5), FailureKind.REJECTED)  # a longer id is not cut
    assert send(db.url, messages, **options) == kinds
    found = rows(db, 'SELECT id, body, kind, k, h, tenant, at, o FROM "Shop events" ORDER BY n')
    assert found[0] == ("event-1", b"\x00\xff", "x/y", "k", {"tenant": "7"}, 7, PUBLISHED, 1)
    assert [row[0] for row in found] == ["event-1", "event-2"]


def test_a_row_that_is_kept_out_by_another_rule_is_not_taken_for_one_that_came_before(db: Database) -> None:
    with db.connect() as owner:
        owner.execute("CREATE TABLE t (event_id text PRIMARY KEY, payload jsonb UNIQUE)")
    twins = [outgoing(1, body=b"[1]"), outgoing(2, body=b"[1]"), outgoing(3)]
    assert send(db.url, twins, table="t") == {1: FailureKind.REJECTED}


def test_a_trigger_may_refuse_a_row(db: Database) -> None:
    with db.connect() as owner:
        owner.execute("CREATE TABLE t (event_id text PRIMARY KEY, payload text)")
        owner.execute(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN IF NEW.event_id = 'event-2' THEN RAISE 'secret %', NEW.payload; END IF; RETURN NEW; END$$"
        )
        owner.execute("CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no()")
    assert send(db.url, [outgoing(n) for n in range(4)], table="t") == {2: FailureKind.REJECTED}
    assert rows(db, "SELECT count(*) FROM t") == [(3,)]


def test_a_tracked_table_has_names_of_its_own(db: Database) -> None:
    with db.connect() as owner:
        owner.execute(
            "CREATE TABLE received (id text PRIMARY KEY, payload text, done timestamptz, tries int NOT NULL DEFAULT 0, "
            "kind text, headers jsonb)"
        )
        owner.execute(
            "SELECT pgtrickle.enable_inbox_tracking('mail', 'received', id_column => 'id', "
            "processed_at_column => 'done', retry_count_column => 'tries', event_type_column => 'kind')"
        )
    assert send(db.url, [outgoing(1, headers={"event_type": "made"})], inbox="mail") == {}
    assert rows(db, "SELECT id, payload, kind, headers FROM received") == [
        ("event-1", '{"n": 1}', "made", {"event_type": "made"})
    ]


def test_addresses_are_other_inboxes(inbox: Database) -> None:
    with inbox.connect() as owner:
        owner.execute("SELECT pgtrickle.create_inbox('mail', with_dead_letter => false, with_stats => false)")
    messages = [outgoing(1), outgoing(2, address="mail"), outgoing(3, address="nowhere"), outgoing(4)]
    assert send(inbox.url, messages, inbox="orders") == {2: FailureKind.DESTINATION}
    assert rows(inbox, "SELECT event_id FROM pgtrickle.mail") == [("event-2",)]
    assert rows(inbox, "SELECT count(*) FROM pgtrickle.orders") == [(2,)]


def test_what_is_not_there_is_said_at_once(inbox: Database, empty_db: Database) -> None:
    url = inbox.url
    with inbox.connect() as owner:
        owner.execute("CREATE TABLE plain (event_id text, payload jsonb)")
        owner.execute("CREATE TABLE bare (id text PRIMARY KEY)")
        owner.execute("CREATE TABLE ours (event_id text PRIMARY KEY, payload jsonb)")
    clerk = inbox.create_role()
    assert refused(url, inbox="none") is FailureKind.DESTINATION
    assert refused(url, table="none") is FailureKind.DESTINATION
    assert refused(url, table="bare") is FailureKind.DESTINATION
    assert refused(url, table="a.b.c.d") is FailureKind.DESTINATION
    assert refused(url, table="plain") is FailureKind.DESTINATION  # nothing says that an id is there already
    assert refused(empty_db.url, inbox="orders") is FailureKind.DESTINATION
    assert refused(inbox.url_as(clerk), table="ours") is FailureKind.AUTHORIZATION
    assert refused(inbox.url_as("nobody_knows"), table="plain") is FailureKind.AUTHENTICATION
    assert refused(url.replace(inbox.name, "nowhere"), table="plain") is FailureKind.DESTINATION
    wrong = f"postgresql://app_owner:wrong-secret@127.0.0.1:{inbox.server.port}/{inbox.name}"
    with pytest.raises(ConnectorError) as caught:
        send(wrong, [], table="plain")
    assert caught.value.failure.kind is FailureKind.AUTHENTICATION and "wrong-secret" not in str(caught.value)
    assert refused("postgresql://127.0.0.1:1/x", table="plain") is FailureKind.UNAVAILABLE
    with pytest.raises(ConfigurationError) as wrongly:
        send("postgresql://u:secret@h/x?nonsense=1", [], table="plain")
    assert "secret" not in str(wrongly.value)


def test_without_a_url_it_is_the_relays_own_database(inbox: Database) -> None:
    options = replace(sinks.PostgresOptions(inbox="orders"), default_url=inbox.url)

    async def run() -> None:
        made = sinks.CONNECTOR.make(options)
        await made.open()
        assert await made.send([outgoing(1)]) == {}
        await made.close()

    asyncio.run(run())
    assert rows(inbox, "SELECT count(*) FROM pgtrickle.orders") == [(1,)]


def test_a_session_that_ends_is_an_error_of_all_that_follow(inbox: Database) -> None:
    async def run() -> None:
        async with sink(inbox.url, inbox="orders") as made:
            with inbox.superuser() as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_trickle_relay'"
                )
                sent = [made.send([outgoing(n)]) for n in range(3)]
                for outcome in await asyncio.gather(*sent, return_exceptions=True):
                    assert isinstance(outcome, ConnectorError) and outcome.failure.kind is FailureKind.UNAVAILABLE
        async with sink(inbox.url, inbox="orders") as made:
            assert await made.send([outgoing(n) for n in range(3)]) == {}

    asyncio.run(run())
    assert rows(inbox, "SELECT count(*) FROM pgtrickle.orders") == [(3,)]


def test_a_table_that_is_locked_is_not_waited_for_for_ever(inbox: Database) -> None:
    async def run() -> None:
        async with sink(inbox.url, inbox="orders", timeout_seconds=0.3) as made:
            with inbox.connect() as owner, owner.transaction():
                owner.execute("LOCK TABLE pgtrickle.orders")
                with pytest.raises(ConnectorError) as caught:
                    await made.send([outgoing(1)])
            assert caught.value.failure.kind is FailureKind.TIMEOUT
            with pytest.raises(ConnectorError):
                await made.send([outgoing(2)])

    asyncio.run(run())
    assert rows(inbox, "SELECT count(*) FROM pgtrickle.orders") == [(0,)]


def test_a_server_that_is_frozen_is_not_waited_for_for_ever(inbox: Database) -> None:
    async def run() -> None:
        async with sink(inbox.url, inbox="orders", timeout_seconds=0.3) as made:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pg_trickle_relay'"
            ((pid,),) = rows(inbox, query)
            freeze(pid)
            try:
                started = time.monotonic()
                with pytest.raises(ConnectorError) as caught:
                    await made.send([outgoing(1)])
                await made.close()
                assert time.monotonic() - started < 20
            finally:
                os.kill(pid, signal.SIGCONT)
            assert caught.value.failure.kind is FailureKind.TIMEOUT

    asyncio.run(run())


def test_many_calls_arrive_in_their_order(db: Database) -> None:
    with db.connect() as owner:
        owner.execute("CREATE TABLE t (n int GENERATED ALWAYS AS IDENTITY, event_id text PRIMARY KEY, payload jsonb)")

    async def run() -> None:
        async with sink(db.url, table="t") as made:
            calls = [made.send([outgoing(call * 50 + n) for n in range(50)]) for call in range(20)]
            assert await asyncio.gather(*calls) == [{}] * 20

    asyncio.run(run())
    assert rows(db, "SELECT array_agg(event_id ORDER BY n) FROM t") == [([f"event-{n}" for n in range(1000)],)]


def test_an_encoding_that_the_environment_asks_for_is_not_ours(
    inbox: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    assert (
        send(f"{inbox.url}&client_encoding=SQL_ASCII", [outgoing(1, key="€", body='"語"'.encode())], inbox="orders")
        == {}
    )
    monkeypatch.delenv("PGCLIENTENCODING")
    assert rows(inbox, "SELECT aggregate_id, payload FROM pgtrickle.orders") == [("€", "語")]


def test_behind_a_transaction_pooler(inbox: Database, pooler: Pooler) -> None:
    for _ in range(3):
        assert send(pooler.url(inbox), [outgoing(n) for n in range(5)], inbox="orders") == {}
    assert rows(inbox, "SELECT count(*) FROM pgtrickle.orders") == [(5,)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "either inbox or table"),
        ({"inbox": "a", "table": "b"}, "either inbox or table"),
        ({"table": "t", "columns": {"event_id": "id", "payload": "p", "body": "b"}}, "a message has no body"),
        ({"table": "t", "columns": {"payload": "p"}}, "nothing is said of event_id"),
    ],
)
def test_a_wrong_configuration_is_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        PostgresSink(sinks.PostgresOptions(**options))


# The other way: an outbox that is read.


@pytest.fixture
def outbox(db: Database) -> Database:
    with db.connect() as owner:
        owner.execute("SELECT pgtrickle.create_outbox('events')")
    return db


def publish(db: Database, *numbers: int) -> None:
    with db.connect() as owner:
        for n in numbers:
            owner.execute(
                "SELECT pgtrickle.publish('events', %s, jsonb_build_object('n', %s::int), %s)",
                (f"k{n % 2}", n, '{"event_type": "made", "x": 1}'),
            )


@asynccontextmanager
async def source(url: str, **options: Any) -> AsyncIterator[PostgresSource]:
    made = PostgresSource(
        sources.PostgresOptions(**{"url": url, "outbox": "events", "group": "mirror", "poll_seconds": 0.02, **options})
    )
    try:
        await made.open()
        yield made
    finally:
        await made.close()


def numbers(messages: Sequence[Incoming]) -> list[int]:
    return [int(message.payload.decode().removeprefix('{"n": ').removesuffix("}")) for message in messages]


def test_an_outbox_is_read_once(outbox: Database) -> None:
    publish(outbox, *range(5))
    with outbox.connect() as owner:
        owner.execute("SELECT pgtrickle.publish_bytes('events', NULL, '\\x00ff', 'x/y')")
    ids = [str(pgt_id) for (pgt_id,) in rows(outbox, "SELECT pgt_id FROM pgtrickle.outbox_events ORDER BY id")]

    async def run() -> None:
        async with source(outbox.url) as made:
            first = await made.receive(2, 5)
            rest = await made.receive(10, 0.1)
            await made.acknowledge(first)
            rest = [*rest, *await made.receive(10, 5)]
            await made.acknowledge(rest)
            assert [message.event_id for message in (*first, *rest)] == ids
            assert first[1][1:7] == (
                "made",
                "postgres:events",
                "k1",
                b'{"n": 1}',
                "application/json",
                {"event_type": "made", "x": "1"},
            )
            assert rest[-1][1:7] == (None, "postgres:events", None, b"\x00\xff", "x/y", {})
            assert await made.receive(10, 0.05) == []
        async with source(outbox.url) as made:
            assert await made.receive(10, 0.05) == []
            publish(outbox, 9)
            assert numbers(await made.receive(10, 5)) == [9]

    asyncio.run(run())


def test_what_is_not_acknowledged_comes_again(outbox: Database) -> None:
    publish(outbox, *range(6))

    async def run() -> None:
        async with source(outbox.url) as made:
            taken = await made.receive(6, 5)
            await made.acknowledge([taken[0], taken[1], taken[4]])
        async with source(outbox.url) as made:
            taken = await made.receive(10, 5)
            assert numbers(taken) == [2, 3, 4, 5]
            await made.release(taken[1:3])
            await made.acknowledge([taken[0], taken[3]])
            again = await made.receive(10, 5)
            assert numbers(again) == [3, 4]
            await made.acknowledge(again)
            assert await made.receive(10, 0.05) == []

    asyncio.run(run())
    assert rows(outbox, "SELECT count(*) FROM pgtrickle.pgt_consumer_leases") == [(0,)]


def test_a_large_delta_comes_whole(db: Database) -> None:
    with db.connect() as owner:
        owner.execute("CREATE TABLE t (id int PRIMARY KEY)")
        owner.execute("SELECT pgtrickle.create_stream_table('st', 'SELECT id FROM t')")
        owner.execute("SELECT pgtrickle.enable_outbox('st')")
        owner.execute("SELECT set_config('pg_trickle.outbox_inline_threshold_rows', '3', false)")
        owner.execute("INSERT INTO t SELECT generate_series(1, 9)")
        owner.execute("SELECT pgtrickle.refresh_stream_table('st')")

    async def run() -> None:
        async with source(db.url, outbox="st") as made:
            (message,) = await made.receive(10, 5)
            assert message.payload.count(b'"id"') == 9 and message.payload.startswith(b'{"v": 1, "deleted": [], "ins')
            await made.acknowledge([message])

    asyncio.run(run())


def test_what_is_in_hand_is_not_lent_to_another(outbox: Database) -> None:
    publish(outbox, 1)

    async def run() -> None:
        async with source(outbox.url, visibility_seconds=3) as made, source(outbox.url, consumer="other") as other:
            taken = await made.receive(10, 5)
            until_then = time.monotonic() + 4.5
            while time.monotonic() < until_then:
                assert await other.receive(10, 0.2) == []
            await made.acknowledge(taken)

    asyncio.run(run())


def test_a_lease_that_is_lost_is_noticed(outbox: Database) -> None:
    publish(outbox, 1)

    async def run() -> None:
        async with source(outbox.url, visibility_seconds=3) as made:
            taken = await made.receive(10, 5)
            rows(outbox, "DELETE FROM pgtrickle.pgt_consumer_leases RETURNING 1")
            with pytest.raises(ConnectorError, match="another consumer"):
                await made.receive(10, 10)
            with pytest.raises(ConnectorError):
                await made.acknowledge(taken)

    asyncio.run(run())


def test_a_session_that_ends_is_an_error_and_everything_comes_again(outbox: Database) -> None:
    publish(outbox, 1, 2)

    async def run() -> None:
        async with source(outbox.url) as made:
            taken = await made.receive(10, 5)
            with outbox.superuser() as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_trickle_relay'"
                )
            with pytest.raises(ConnectorError) as caught:
                await made.acknowledge(taken)
            assert caught.value.failure.kind is FailureKind.UNAVAILABLE
            with pytest.raises(ConnectorError):
                await made.receive(10, 5)
        async with source(outbox.url) as made:
            await made.acknowledge(taken)
            assert numbers(await made.receive(10, 5)) == [1, 2]

    asyncio.run(run())


def test_what_is_no_outbox_or_anothers_group_is_said(outbox: Database) -> None:
    with outbox.connect() as owner:
        owner.execute("SELECT pgtrickle.create_outbox('others')")
        owner.execute("SELECT pgtrickle.create_consumer_group('theirs', 'others')")

    async def opened(**options: Any) -> FailureKind:
        with pytest.raises(ConnectorError) as caught:
            async with source(outbox.url, **options):
                pass
        return caught.value.failure.kind

    assert asyncio.run(opened(outbox="nothing")) is FailureKind.DESTINATION
    assert asyncio.run(opened(group="theirs")) is FailureKind.DESTINATION
    with pytest.raises(ConfigurationError):
        PostgresSource(sources.PostgresOptions(outbox="events", group=""))


def test_a_group_may_begin_with_what_comes(outbox: Database) -> None:
    publish(outbox, 1)

    async def run() -> None:
        async with source(outbox.url, auto_offset_reset="latest") as made:
            publish(outbox, 2)
            assert numbers(await made.receive(10, 5)) == [2]

    asyncio.run(run())


def test_an_outbox_behind_a_transaction_pooler(outbox: Database, pooler: Pooler) -> None:
    publish(outbox, *range(5))

    async def run() -> None:
        async with source(pooler.url(outbox)) as made:
            await made.acknowledge(await made.receive(10, 5))
            assert await made.receive(10, 0.05) == []

    asyncio.run(run())


@given(st.data())
def test_a_window_forgets_nothing_and_tells_in_order(data: st.DataObject) -> None:
    window: Window[int] = Window()
    hand: list[Incoming] = []
    put, told, acknowledged = 0, [], set()
    for _ in range(data.draw(st.integers(0, 40))):
        match data.draw(st.sampled_from(["put", "take", "acknowledge", "release"])):
            case "put":
                window.put(put, lambda token, n=put: Incoming(str(n), None, "", None, b"", "", {}, token))
                put += 1
            case "take":
                hand += window.take(data.draw(st.integers(0, 5)))
            case "acknowledge" if hand:
                some = data.draw(st.lists(st.sampled_from(hand)))
                acknowledged |= {int(message.event_id) for message in some}
                told += window.acknowledge(some)
                hand = [message for message in hand if message not in some]
            case "release" if hand:
                some = data.draw(st.lists(st.sampled_from(hand)))
                window.release(some)
                hand = [message for message in hand if message not in some]
    assert told == list(range(len(told)))
    assert set(told) <= acknowledged
    assert len(told) == put or len(told) not in acknowledged
    rest = [*hand, *window.take(put)]
    assert sorted(int(message.event_id) for message in rest) == sorted(set(range(put)) - acknowledged)
