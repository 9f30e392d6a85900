"""The bare loops and those who publish, feed and hear, each a process that is told as JSON what it needs to know.

A loop does the work of the relay for one outbox or inbox: it carries messages in the order of their ids, hears of each
failure, and stores its place only when all are acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import psycopg

from benchmarks.relay.bench import BATCH, INBOXES, OUTBOX
from benchmarks.relay.kinds import KINDS
from benchmarks.relay.kinds.kind import Kind
from benchmarks.relay.kinds.postgres import inserting, reading


async def carry_out(kind: Kind, told: Mapping[str, Any]) -> None:
    """Read, send, store, until so many are through."""
    send = await kind.sender(told["reach"])
    connection = await psycopg.AsyncConnection.connect(told["database"], autocommit=True)
    cursor = connection.cursor(binary=True)
    last, done = 0, 0
    while done < told["messages"]:
        await cursor.execute(reading(OUTBOX), (last, BATCH))
        rows = await cursor.fetchall()
        await send([(event_id, body) for _, event_id, body in rows])
        last, done = rows[-1][0], done + len(rows)
        await connection.execute("UPDATE pgtrickle.bench_offset SET id = %s", (last,))


async def carry_in(kind: Kind, told: Mapping[str, Any]) -> None:
    """Take, store, acknowledge, until so many are through."""
    assert kind.taker is not None
    take = await kind.taker(told["reach"], told["tokens"][0])
    insert = inserting(await psycopg.AsyncConnection.connect(told["database"], autocommit=True), INBOXES[0])
    done = 0
    while done < told["messages"]:
        batch, acknowledge = await take(BATCH)
        if batch:
            await insert(batch)
            await acknowledge()
        done += len(batch)


async def feed(kind: Kind, told: Mapping[str, Any]) -> None:
    """So many messages, as fast as they go; or at a rate, and then the times when they were sent are printed."""
    reach, tokens, messages, rate = told["reach"], told["tokens"], told["messages"], told["rate"]
    if kind.prepare is not None and told["prepare"]:
        await kind.prepare(reach, tokens)
    send = await (kind.sender(reach) if kind.feeder is None else kind.feeder(reach, tokens))
    text = "x" * max(1, told["size"] - 30)
    step = BATCH if rate is None else max(1, round(rate / 100))
    began, sent_at = time.time(), list[float]()
    for first in range(0, messages, step):
        if rate is not None:
            await asyncio.sleep(max(0.0, began + first / rate - time.time()))
        numbers = range(first, min(messages, first + step))
        sent_at += [time.time()] * len(numbers)
        await send([(f"{tokens[0]}-{n}", json.dumps({"n": n, "text": text}).encode()) for n in numbers])
    print(json.dumps(sent_at))


async def hear(kind: Kind, told: Mapping[str, Any]) -> None:
    """When so many messages have come, by the batch that they came in, is printed."""
    assert kind.taker is not None
    take = await kind.taker(told["reach"], told["tokens"][0])
    heard_at: list[float] = []
    while len(heard_at) < told["messages"]:
        batch, acknowledge = await take(BATCH)
        heard_at += [time.time()] * len(batch)
        if batch:
            await acknowledge()
    print(json.dumps(heard_at))


async def publish(_: Kind, told: Mapping[str, Any]) -> None:
    """So many messages at a rate, each in a transaction of its own; when each began and was committed is printed."""
    rate, text = told["rate"], "x" * max(1, told["size"] - 30)
    taken: list[tuple[float, float]] = []
    with psycopg.connect(told["database"], autocommit=True) as conn:
        began = time.time()
        for number in range(told["messages"]):
            time.sleep(max(0.0, began + number / rate - time.time()))
            payload = json.dumps({"n": number, "text": text})
            start = time.time()
            conn.execute("SELECT pgtrickle.publish(%s, %s, %s::jsonb)", (OUTBOX, str(number % 100), payload))
            taken.append((start, time.time()))
    print(json.dumps(taken))


if __name__ == "__main__":
    what, given = sys.argv[1], json.loads(sys.argv[2])
    does = {"out": carry_out, "in": carry_in, "feed": feed, "hear": hear, "publish": publish}[what]
    asyncio.run(does(KINDS[given["kind"]], given))
    sys.stdout.flush()
    os._exit(0)  # clients with threads and open connections are left as they are
