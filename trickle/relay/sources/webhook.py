"""Webhooks that others send: an HTTP server whose answer waits until the message is in the inbox.

    request ──too large? signed? readable?──▶ waiting ──receive──▶ in hand ──acknowledge──▶ 200
                                                 │                    └── release ──▶ 503, Retry-After
                                                 └── nobody took it in time, or too many wait ──▶ 503, Retry-After

So a sender that hears 200 may forget the message, and every other answer tells it to try again or what is wrong. One
that hears nothing sends again; the inbox knows the event id. The id is taken from, in this order: the header that is
configured, `webhook-id`, `Idempotency-Key`, what the scheme has for it (`X-GitHub-Delivery`, the `id` of a Stripe
event). Where there is none, it is a hash of the body: then equal bodies are one message.

Whoever waits for requests waits for anybody: the time to send a body, its size and how many may wait are limited, and
in front of an address that is public should stand a proxy that limits connections.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from aiohttp import web

from trickle.errors import ConfigurationError
from trickle.relay.connector import SourceConnector
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.headers import inbound
from trickle.relay.message import Incoming
from trickle.relay.options import option
from trickle.relay.signatures import ID_HEADER, Scheme, Verifier, keys
from trickle.relay.view import is_json

_CHUNK_BYTES = 64 * 1024
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Where to listen, whom to believe, and how much to take."""

    port: int = option("Port to listen on; 0 for any that is free.", minimum=0, maximum=65535)
    signature_scheme: str = option(
        "How senders sign; `none` believes everybody.", choices=tuple(scheme.value for scheme in Scheme)
    )
    host: str = option("Address to listen on.", default="127.0.0.1")
    path: str = option("Path that messages are sent to.", default="/")
    signature_secret: str = option(
        "Their secret; several, separated by blanks, while one replaces another.", default="", secret=True
    )
    signature_header: str = option("Header of the signature, where it is not that of the scheme.", default="")
    tolerance_seconds: float = option("How far a signed time may be from ours.", default=300.0, unit="s", minimum=1.0)
    id_header: str = option("Header with the event id, before all others.", default="")
    max_body_bytes: int = option("Larger bodies are refused with 413.", default=2**20, unit="bytes", minimum=1)
    max_waiting: int = option("With more requests in hand, new ones are told to come later.", default=1000, minimum=1)
    body_seconds: float = option("A body has to be here within this time.", default=10.0, unit="s", minimum=0.1)
    answer_seconds: float = option(
        "A request that is not in the inbox by then is told to come later.", default=25.0, unit="s", minimum=0.1
    )
    retry_after_seconds: int = option("When to come again.", default=5, unit="s", minimum=1)
    tls_cert: str = option("Path of this server's certificate; without one it speaks plain HTTP.", default="")
    tls_key: str = option("Path of its key, unless it is in the same file.", default="")
    tls_client_ca_cert: str = option("Path of the authorities that senders' certificates are checked by.", default="")


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request that waits for its answer: True once the message is in the inbox, False to send it again."""

    answer: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, accepted: bool) -> None:
        if not self.answer.done():
            self.answer.set_result(accepted)


class WebhookSource:
    """The server, and the requests in its hands."""

    def __init__(self, options: WebhookOptions) -> None:
        self._options = options
        self._verifier = _verifier(options)
        self._runner: web.AppRunner | None = None
        self._arrived = asyncio.Event()
        self._queue: deque[Incoming] = deque()
        self._pending: set[_Waiting] = set()

    @property
    def port(self) -> int:
        """The port it listens on, where any was asked for."""
        if self._runner is None or not self._runner.addresses:
            return self._options.port
        return int(self._runner.addresses[0][1])

    async def open(self) -> None:
        context = _tls(self._options)
        app = web.Application()
        app.router.add_post(self._options.path, self._handle)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=1.0, lingering_time=1.0, auto_decompress=False
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._options.host, self._options.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            await self.close()
            where = f"{self._options.host} port {self._options.port}"
            kind = FailureKind.AUTHORIZATION if isinstance(error, PermissionError) else FailureKind.UNAVAILABLE
            raise ConnectorError(kind, f"cannot listen on {where}: {error.strerror}") from error

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        self._arrived.clear()
        if not self._queue:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), wait_seconds)
        taken: list[Incoming] = []
        while self._queue and len(taken) < limit:
            message = self._queue.popleft()
            if not _waiting(message).answer.done():  # or its sender has been told to come later
                taken.append(message)
        return taken

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        for message in messages:
            _waiting(message).settle(True)

    async def release(self, messages: Sequence[Incoming]) -> None:
        for message in messages:
            _waiting(message).settle(False)

    async def close(self) -> None:
        for waiting in self._pending:
            waiting.settle(False)
        runner, self._runner = self._runner, None
        if runner is not None:
            with suppress(OSError):
                await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        headers = _headers(request)
        body = await self._body(request)
        fault = self._verifier.fault(headers, body, time.time())
        if fault is not None:
            return web.Response(status=401, text=fault + "\n")
        fault = fault_of(headers, body)
        if fault is not None:
            return web.Response(status=400, text=fault + "\n")
        if len(self._pending) >= self._options.max_waiting:
            return self._later("too many messages are waiting")
        waiting = _Waiting()
        self._pending.add(waiting)
        try:
            return await self._answer(waiting, self._incoming(headers, body, waiting))
        finally:
            self._pending.discard(waiting)

    async def _answer(self, waiting: _Waiting, message: Incoming) -> web.Response:
        self._queue.append(message)
        self._arrived.set()
        try:
            accepted = await asyncio.wait_for(waiting.answer, self._options.answer_seconds)
        except TimeoutError:
            return self._later("it took too long")
        return web.Response(status=200) if accepted else self._later("it cannot be taken now")

    async def _body(self, request: web.Request) -> bytes:
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise web.HTTPUnsupportedMediaType(text="send the body as it is, not compressed\n")
        limit = self._options.max_body_bytes
        body = bytearray()
        try:
            async with asyncio.timeout(self._options.body_seconds):
                while len(body) <= limit and (request.content_length or 0) <= limit:
                    chunk = await request.content.read(_CHUNK_BYTES)
                    if not chunk:
                        return bytes(body)
                    body += chunk
        except TimeoutError:
            raise _hanging_up(web.HTTPRequestTimeout(text="the body did not come in time\n")) from None
        raise _hanging_up(web.HTTPRequestEntityTooLarge(limit, len(body), text=f"a body may have {limit} bytes\n"))

    def _incoming(self, headers: Mapping[str, str], body: bytes, waiting: _Waiting) -> Incoming:
        options, scheme, arrival = self._options, self._verifier.scheme, inbound(headers)
        return Incoming(
            event_id=event_id(headers, body, scheme, options.id_header),
            event_type=arrival.event_type or (headers.get("x-github-event") if scheme is Scheme.GITHUB else None),
            source=f"webhook:{options.path}",
            key=arrival.key,
            payload=body,
            content_type=arrival.content_type,
            headers={
                name: value
                for name, value in arrival.headers.items()
                if name not in _PRIVATE_HEADERS and name != self._verifier.signature_header
            },
            token=waiting,
        )

    def _later(self, why: str) -> web.Response:
        headers = {"Retry-After": str(self._options.retry_after_seconds)}
        return web.Response(status=503, text=f"{why}; send it again later\n", headers=headers)


def fault_of(headers: Mapping[str, str], body: bytes) -> str | None:
    """What is wrong with a message that says it is JSON, or with its headers, in a sentence for its sender."""
    try:
        "".join((*headers, *headers.values())).encode()
    except UnicodeEncodeError:
        return "a header is not UTF-8"
    if not is_json(headers.get("content-type", "")):
        return None
    try:
        # Numbers stay text: a large one is no fault, and not to be computed.
        json.loads(body.decode(), parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        return f"the body is not UTF-8: byte {error.start} cannot be read"
    except json.JSONDecodeError as error:
        return f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except ValueError as error:
        return f"the body is not JSON: {error}"
    except RecursionError:
        return "the body is not JSON that can be read: it is nested too deeply"
    return None


def event_id(headers: Mapping[str, str], body: bytes, scheme: Scheme, id_header: str) -> str:
    """By what a message is known when it comes again; header names in lower case."""
    names = [id_header.lower(), ID_HEADER, "idempotency-key"]
    if scheme is Scheme.GITHUB:
        names.append("x-github-delivery")
    found = next((headers[name] for name in names if headers.get(name)), None)
    if found is None and scheme is Scheme.STRIPE:
        found = _stripe_id(body)
    return found or "sha256:" + hashlib.sha256(body).hexdigest()


def _stripe_id(body: bytes) -> str | None:
    try:
        event: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = event.get("id") if isinstance(event, dict) else None
    return found if isinstance(found, str) else None


def _headers(request: web.Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        name = name.lower()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _hanging_up(refusal: web.HTTPException) -> web.HTTPException:
    """The rest of the body is not read, so that nothing else can come on this connection."""
    refusal.force_close()
    return refusal


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _waiting(message: Incoming) -> _Waiting:
    assert isinstance(message.token, _Waiting)
    return message.token


def _verifier(options: WebhookOptions) -> Verifier:
    scheme = Scheme(options.signature_scheme)
    if scheme is not Scheme.NONE and not options.signature_secret.strip():
        raise ConfigurationError(
            f"webhook: signature_scheme is {scheme}, and signature_secret is empty",
            hint='"signature_scheme": "none" believes everybody',
        )
    known = keys(scheme, options.signature_secret) if scheme is not Scheme.NONE else ()
    return Verifier(scheme, known, options.signature_header, options.tolerance_seconds)


def _tls(options: WebhookOptions) -> ssl.SSLContext | None:
    if not options.tls_cert:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.tls_cert, options.tls_key or None)
        if options.tls_client_ca_cert:
            context.load_verify_locations(options.tls_client_ca_cert)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # of which those of ssl are
        reason = f"the files for TLS cannot be used: {error.strerror or type(error).__name__}"
        raise ConnectorError(FailureKind.TLS, reason) from error
    return context


CONNECTOR = SourceConnector(
    name="webhook",
    options=WebhookOptions,
    make=WebhookSource,
    identity="a configured header, webhook-id, Idempotency-Key, the scheme's own, or a hash of the body",
    boundary="the request is answered with 200 once the message is in the inbox",
    extra="http",
)
