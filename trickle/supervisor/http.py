"""/metrics, /health, /livez and /readyz over HTTP, from a thread that only reads what the loop has published.

/livez   200 while the loop turns: restart the process when it does not /readyz  200 when the instance
can take work (joined, or waiting on a standby), 503 while connecting or draining /health  200 when it
owns at least one stream table (a relay: pipeline, a supervisor: tenant), 503 otherwise; the body says why
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from trickle.errors import ConfigurationError

# A turn of the loop may contain a connection attempt and a slow statement; longer silence is a hang.
LIVE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Health:
    """What the loop last said about itself."""

    state: str = "connecting"  # connecting, standby, joined, draining
    instance_id: str = ""
    group_id: str = ""
    owned: int = 0
    members: int = 0
    running: int = 0
    children: int = 0
    last_turn: str = ""


class Board:
    """Where the loop publishes and the HTTP thread reads; each assignment replaces a frozen value."""

    def __init__(self) -> None:
        self.health = Health()
        self.turned_at = time.monotonic()

    def publish(self, health: Health) -> None:
        self.health = health
        self.turned_at = time.monotonic()

    def answer(self, path: str) -> tuple[HTTPStatus, dict[str, object]] | None:
        """Status and body of a health path; None for a path that is not one."""
        health = self.health
        if path == "/livez":
            silent = time.monotonic() - self.turned_at
            return _status(silent < LIVE_SECONDS), {"silent_seconds": round(silent, 1)}
        if path == "/readyz":
            return _status(health.state in ("joined", "standby")), {"state": health.state}
        if path == "/health":
            is_healthy = health.owned > 0 and health.state in ("joined", "draining")
            return _status(is_healthy), {"status": "healthy" if is_healthy else "idle", **asdict(health)}
        return None


class HttpServer:
    """Serves a registry and a board until closed."""

    def __init__(self, host: str, port: int, board: Board, registry: CollectorRegistry) -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(board, registry))
        except OSError as error:
            raise ConfigurationError(
                f"cannot serve metrics on {host}:{port}: {error.strerror}",
                hint="choose another --metrics-port, or 0 for none",
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> Self:
        self._thread.start()
        return self

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _status(is_good: bool) -> HTTPStatus:
    return HTTPStatus.OK if is_good else HTTPStatus.SERVICE_UNAVAILABLE


def _handler(board: Board, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # A client that sends nothing must not hold a thread for ever.
        timeout = 10

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encoder, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._reply(HTTPStatus.OK, content_type, encoder(registry))
                return
            known = board.answer(path)
            status, body = known if known is not None else (HTTPStatus.NOT_FOUND, {"error": "no such path"})
            self._reply(status, "application/json", json.dumps(body).encode() + b"\n")

        def log_message(self, format: str, *args: object) -> None:
            """Probes every few seconds are not news."""

        def _reply(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
