"""A receiver of webhooks: a real HTTP server on a free port, which answers what the test says."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Seen:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]


Answer = Callable[[Seen], web.Response | Awaitable[web.Response]]


@dataclass(slots=True)
class Receiver:
    """Where it listens, and what it has heard."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def event_ids(self) -> list[str]:
        return [request.event_id for request in self.seen]


def fine(_: Seen) -> web.Response:
    return web.Response(status=204)


@asynccontextmanager
async def receiver(answer: Answer = fine, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Listens on 127.0.0.1 until the block ends."""
    made = Receiver()

    async def handle(request: web.Request) -> web.Response:
        seen = Seen(request.path_qs, dict(request.headers), await request.read())
        made.seen.append(seen)
        made.at_once += 1
        made.most_at_once = max(made.most_at_once, made.at_once)
        try:
            answered = answer(seen)
            return await answered if inspect.isawaitable(answered) else answered
        finally:
            made.at_once -= 1

    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    made.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


@asynccontextmanager
async def dead_end(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that speaks no HTTP, or badly; its URL."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
