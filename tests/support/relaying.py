"""A pipeline at work in the test's own loop, on a real database, with a destination and an origin in this process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from support.databases import Database
from trickle.db.pool import make_pool
from trickle.relay.assemble import received
from trickle.relay.bells import Bells
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.forward import Forward
from trickle.relay.letters import DeadLetters
from trickle.relay.message import Incoming, Message, Outgoing
from trickle.relay.outbox import Outbox
from trickle.relay.outgoing import Prepare
from trickle.relay.outlet import Limits
from trickle.relay.reverse import Reverse
from trickle.relay.standing import Standing

AWAY = Failure(FailureKind.UNAVAILABLE, "away")
REFUSED = Failure(FailureKind.REJECTED, "it does not like it")


@dataclass
class Post:
    """A destination. Each of its sinks asks it what becomes of a message."""

    keeps_order: bool = True
    judge: Callable[[Outgoing], Failure | None] = lambda message: None
    is_away: bool = False
    breaks: Callable[[Outgoing], bool] = lambda message: False  # the connection, before anything is accepted
    crashes: bool = False  # it breaks because its sink is at fault
    answers: asyncio.Event = field(default_factory=asyncio.Event)  # until it is set nothing has an answer
    arrived: list[Outgoing] = field(default_factory=list)
    opened: int = 0
    sent: int = 0  # messages in calls, accepted or not
    largest: int = 0

    def __post_init__(self) -> None:
        self.answers.set()

    @property
    def numbers(self) -> list[int]:
        return [json.loads(message.body)["n"] for message in self.arrived]

    def firsts(self) -> list[int]:
        """Without what came again."""
        return list(dict.fromkeys(self.numbers))

    def make(self) -> PostSink:
        return PostSink(self)


class PostSink:
    """A connection to it."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.keeps_order = post.keeps_order

    async def open(self) -> None:
        if self._post.is_away:
            raise ConnectorError(FailureKind.UNAVAILABLE, "nobody is there")
        self._post.opened += 1

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        post = self._post
        post.sent += len(messages)
        post.largest = max(post.largest, len(messages))
        await asyncio.sleep(0)
        await post.answers.wait()
        is_broken = any(map(post.breaks, messages))
        if is_broken and post.crashes:
            raise ValueError("a sink that is wrong")
        if post.is_away or is_broken:
            raise ConnectorError(FailureKind.UNAVAILABLE, "nobody is there any more")
        failures: dict[int, Failure] = {}
        for index, message in enumerate(messages):
            failure = post.judge(message)
            if failure is None:
                post.arrived.append(message)
            else:
                failures[index] = failure
        return failures

    async def close(self) -> None:
        pass


def plainly(message: Message) -> Sequence[Outgoing] | Failure:
    return [
        Outgoing(
            message.event_id,
            message.key,
            "",
            message.payload,
            message.content_type,
            message.headers,
            message.created_at,
            message.outbox_id,
        )
    ]


@dataclass
class Carried:
    """A pipeline at work."""

    forward: Forward
    standing: Standing
    task: asyncio.Task[None]

    async def stop(self) -> None:
        self.forward.stop()
        await self.task


def declare(db: Database, name: str = "box") -> None:
    """An outbox and a pipeline of that name."""
    with db.connect() as owner:
        owner.execute("SELECT pgtrickle.create_outbox(%s)", (name,))
        owner.execute('SELECT pgtrickle.set_relay_outbox(%s, %s, sink => \'{"type": "stdout"}\')', (name, name))


def publish(db: Database, numbers: Sequence[int], *, keys: int = 1, name: str = "box") -> None:
    with db.connect() as owner:
        owner.execute(
            "SELECT pgtrickle.publish(%s, 'k' || n %% %s, jsonb_build_object('n', n)) FROM unnest(%s::int[]) n",
            (name, keys, list(numbers)),
        )


@asynccontextmanager
async def hearing(db: Database) -> AsyncIterator[Bells]:
    bells = Bells(db.url, "relay")
    task = asyncio.create_task(bells.run())
    try:
        yield bells
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def carried(
    db: Database,
    post: Post,
    *,
    bells: Bells | None = None,
    name: str = "box",
    outbox: str = "",
    encode: Prepare = plainly,
    **limits: Any,
) -> AsyncIterator[Carried]:
    """A forward pipeline, until the end of the block; its outbox has its name unless it is said."""
    async with AsyncExitStack() as until_then:
        heard = bells if bells is not None else await until_then.enter_async_context(hearing(db))
        pool = await until_then.enter_async_context(make_pool(db.url, role="relay", most=4))
        standing = Standing()
        forward = Forward(
            name,
            Outbox(pool, name, name),
            DeadLetters(pool, name),
            post.make,
            encode,
            Limits(**limits),
            heard,
            outbox or name,
            standing,
        )
        made = Carried(forward, standing, asyncio.create_task(forward.run()))
        try:
            yield made
        finally:
            post.answers.set()
            await made.stop()


@dataclass
class Origin:
    """Where messages come from: those that are not acknowledged come again on the next connection."""

    waiting: list[Incoming] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    opened: int = 0
    breaks_at_acknowledging: int = 0  # so many times

    def make(self) -> OriginSource:
        return OriginSource(self)


class OriginSource:
    """A connection to it."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._given = 0

    async def open(self) -> None:
        self._origin.opened += 1

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        messages = self._origin.waiting[self._given : self._given + limit]
        if not messages:
            await asyncio.sleep(min(wait_seconds, 0.02))
            return []
        self._given += len(messages)
        self._origin.batches.append(len(messages))
        return messages

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        if self._origin.breaks_at_acknowledging:
            self._origin.breaks_at_acknowledging -= 1
            raise ConnectorError(FailureKind.UNAVAILABLE, "cut off")
        done = {id(message) for message in messages}
        self._origin.waiting = [message for message in self._origin.waiting if id(message) not in done]
        self._origin.acknowledged += [message.event_id for message in messages]
        self._given -= len(messages)

    async def release(self, messages: Sequence[Incoming]) -> None:
        self._given -= len(messages)

    async def close(self) -> None:
        pass


@asynccontextmanager
async def taken_in(
    db: Database,
    origin: Origin,
    *,
    name: str = "mail",
    accept: Callable[[Incoming], Incoming | Failure | None] = lambda message: message,
    **limits: Any,
) -> AsyncIterator[Standing]:
    """A reverse pipeline into the inbox of that name, until the end of the block."""
    async with make_pool(db.url, role="relay", most=4) as pool:
        standing = Standing()
        reverse = Reverse(
            name,
            pool,
            name,
            DeadLetters(pool, name),
            origin.make,
            lambda message: received(accept, message),
            Limits(**limits),
            standing,
        )
        task = asyncio.create_task(reverse.run())
        try:
            yield standing
        finally:
            reverse.stop()
            await task


async def soon(condition: Callable[[], object], *, seconds: float = 20.0, what: str = "") -> None:
    """Wait until it is so; fail when time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.01)


def asked(db: Database, question: str, *values: object) -> list[tuple[Any, ...]]:
    with db.connect() as conn:
        return conn.execute(question.encode(), values).fetchall()
