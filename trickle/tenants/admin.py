"""What an operator asks a running supervisor over HTTP, with a token.

    GET  /hot             the tenants with a place
    GET  /explain/ID      why a tenant runs, or does not
    POST /promote/ID      answers when it is hot
    POST /demote/ID

Every request carries `Authorization: Bearer <token>`; without the right one the answer is 401, whatever was asked.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from trickle.errors import ConfigurationError, NotFound, TrickleError
from trickle.tenants.supervisor import TenantJobSupervisor

_SHORTEST_TOKEN = 16
_PATIENCE_SECONDS = 60.0

Answer = tuple[HTTPStatus, object]


class AdminServer:
    """Serves from threads of its own; what is asked is done in the supervisor's loop."""

    def __init__(self, host: str, port: int, token: str, supervisor: TenantJobSupervisor) -> None:
        if len(token) < _SHORTEST_TOKEN:
            raise ConfigurationError(
                f"the token of the admin port has fewer than {_SHORTEST_TOKEN} characters",
                hint="openssl rand -hex 32",
            )
        loop = asyncio.get_running_loop()

        def answer(method: str, path: str) -> Answer:
            work = _asked(supervisor, method, path)
            if work is None:
                return HTTPStatus.NOT_FOUND, {
                    "error": "no such path",
                    "paths": "/hot /explain/ID /promote/ID /demote/ID",
                }
            try:
                return HTTPStatus.OK, asyncio.run_coroutine_threadsafe(work, loop).result(_PATIENCE_SECONDS)
            except NotFound as error:
                return HTTPStatus.NOT_FOUND, {"error": str(error)}
            except TrickleError as error:
                return HTTPStatus.CONFLICT, {"error": str(error)}
            except TimeoutError:
                return HTTPStatus.GATEWAY_TIMEOUT, {"error": f"not done within {_PATIENCE_SECONDS:g} s"}

        try:
            self._server = ThreadingHTTPServer((host, port), _handler(token, answer))
        except OSError as error:
            raise ConfigurationError(f"cannot serve the admin port {host}:{port}: {error.strerror}") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="admin", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _asked(supervisor: TenantJobSupervisor, method: str, path: str) -> Coroutine[Any, Any, object] | None:
    """What a request means; None for one that means nothing."""
    verb, _, tenant = path.partition("?")[0].removeprefix("/").partition("/")
    tenant = unquote(tenant)

    async def hot() -> object:
        return [asdict(one) for one in supervisor.list_hot()]

    async def explain() -> object:
        return {"tenant": tenant, "why": supervisor.explain(tenant)}

    async def promote() -> object:
        await supervisor.promote(tenant)
        return {"tenant": tenant, "why": supervisor.explain(tenant)}

    async def demote() -> object:
        await supervisor.demote(tenant)
        return {"tenant": tenant, "why": supervisor.explain(tenant)}

    known: dict[tuple[str, str, bool], Callable[[], Coroutine[Any, Any, object]]] = {
        ("GET", "hot", False): hot,
        ("GET", "explain", True): explain,
        ("POST", "promote", True): promote,
        ("POST", "demote", True): demote,
    }
    found = known.get((method, verb, bool(tenant)))
    return None if found is None else found()


def _handler(token: str, answer: Callable[[str, str], Answer]) -> type[BaseHTTPRequestHandler]:
    expected = f"Bearer {token}".encode()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # a client that sends nothing must not hold a thread for ever

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:
            """What was done is in the supervisor's log."""

        def _answer(self) -> None:
            given = self.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if hmac.compare_digest(given, expected):
                status, body = answer(self.command, self.path)
            else:
                status, body = HTTPStatus.UNAUTHORIZED, {"error": "Authorization: Bearer <token>"}
            text = json.dumps(body).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    return Handler
