"""HTTP: a receiver that answers at once, and senders that wait for their answers, sixty-four at a time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.relay.kinds.kind import Acknowledge, Kind, Message, Options, Reach, Send, Take
from benchmarks.serving import await_port, free_port, serving

_AT_ONCE = 64
_PATIENCE_SECONDS = 60.0
_PORTS = 2
_SESSIONS: list[Any] = []  # the end of the process closes them
_RECEIVER = """
import sys
from aiohttp import web
async def take(request):
    await request.read()
    return web.Response(status=204)
app = web.Application()
app.router.add_post("/", take)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""


@contextmanager
def serve(folder: Path) -> Iterator[Reach]:
    port = free_port()
    with serving([sys.executable, "-c", _RECEIVER, str(port)], folder) as server:
        await_port(port, server)
        yield {"port": port, "ports": [free_port() for _ in range(_PORTS)]}


def sink(reach: Reach, _: int) -> Options:
    local = {"allow_http": True, "allow_networks": ["127.0.0.0/8"], "max_concurrency": _AT_ONCE}
    return {"type": "webhook", "url": f"http://127.0.0.1:{reach['port']}/", **local}


async def sender(reach: Reach) -> Send:
    return await _posting([reach["port"]])


async def _posting(ports: Sequence[int]) -> Send:
    """Each message to each port; who does not listen yet is tried again."""
    from aiohttp import ClientConnectionError, ClientSession, TCPConnector

    session = ClientSession(connector=TCPConnector(limit=_AT_ONCE))
    _SESSIONS.append(session)

    async def post(port: int, event_id: str, body: bytes) -> None:
        headers = {"webhook-id": event_id, "content-type": "application/json"}
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                try:
                    async with session.post(f"http://127.0.0.1:{port}/", data=body, headers=headers) as answer:
                        if answer.status < 300:
                            return
                except ClientConnectionError:
                    pass
                await asyncio.sleep(0.05)

    async def send(batch: Sequence[Message]) -> None:
        await asyncio.gather(*(post(port, event_id, body) for event_id, body in batch for port in ports))

    return send


def heard(reach: Reach, token: str) -> Options:
    return sink({"port": _port(reach, token)}, 0)


def _port(reach: Reach, token: str) -> int:
    return int(reach["ports"][int(token.rpartition("-")[2])])


def source(reach: Reach, token: str) -> Options:
    return {"type": "webhook", "port": _port(reach, token), "signature_scheme": "none"}


async def taker(reach: Reach, token: str) -> Take:
    """What has come together is stored together, and answered then."""
    from aiohttp import web

    arrived: asyncio.Queue[tuple[str, bytes, asyncio.Future[None]]] = asyncio.Queue()

    async def hear(request: web.Request) -> web.Response:
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await arrived.put((request.headers["webhook-id"], await request.read(), stored))
        await stored
        return web.Response(status=200)

    app = web.Application()
    app.router.add_post("/", hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", _port(reach, token)).start()

    async def take(limit: int) -> tuple[Sequence[Message], Acknowledge]:
        found = [await arrived.get()]
        while len(found) < limit and not arrived.empty():
            found.append(arrived.get_nowait())

        async def acknowledge() -> None:
            for _, _, stored in found:
                stored.set_result(None)

        return [(event_id, body) for event_id, body, _ in found], acknowledge

    return take


async def feeder(reach: Reach, tokens: Sequence[str]) -> Send:
    return await _posting([_port(reach, token) for token in tokens])


KIND = Kind(
    name="webhook",
    serve=serve,
    sink=sink,
    sender=sender,
    heard=heard,
    source=source,
    taker=taker,
    feeder=feeder,
    is_pushed=True,
)
