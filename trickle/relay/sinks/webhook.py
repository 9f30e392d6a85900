"""Webhooks: each message, or a batch of them, is posted to a URL.

The receiver recognises what comes again by `webhook-id` and `Idempotency-Key`, both the event id, and believes it by
`webhook-signature` (Standard Webhooks). Requests are independent, so that several are under way at once, those of one
key one after another; when one of these has to be tried again the later ones wait with it.

Where requests may go is decided in `trickle.relay.ssrf`: over https, to public addresses, unless more is allowed.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
from yarl import URL

from trickle.errors import ConfigurationError
from trickle.relay.brokers import tls
from trickle.relay.connector import SinkConnector
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.message import Outgoing
from trickle.relay.options import option
from trickle.relay.signatures import Scheme, keys
from trickle.relay.ssrf import AddressRefused, Guard, networks
from trickle.relay.webhook_answer import failure_of
from trickle.relay.webhook_request import Request, body_of, fault_of, halves, headers_of, requests, url_of

_ANSWER_BYTES = 64 * 1024  # so much of an answer is read to keep its connection


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Where to post, how often at once, and what the receiver wants to see."""

    url: str = option("Where messages are posted; the address of a message is a path that is put behind it.")
    method: str = option("How.", default="POST", choices=("POST", "PUT", "PATCH"))
    signing_secret: str = option(
        "Secret of Standard Webhooks, `whsec_…`; several, separated by blanks, while one replaces another.",
        default="",
        secret=True,
    )
    bearer_token: str = option("Sent as `Authorization: Bearer …`.", default="", secret=True)
    username: str = option("For basic authentication.", default="")
    password: str = option("For basic authentication.", default="", secret=True)
    headers: dict[str, str] = option("Sent with every request.", default={})
    batch_messages: int = option(
        "Above 1, a request carries a JSON array of at most so many messages.", default=1, minimum=1, maximum=10_000
    )
    batch_bytes: int = option("And at most so much.", default=2**20, unit="bytes", minimum=1)
    max_concurrency: int = option("Requests under way at once.", default=16, minimum=1, maximum=1000)
    timeout_seconds: float = option("For a request and its answer.", default=30.0, unit="s", minimum=0.1)
    connect_timeout_seconds: float = option("Of that, for a new connection.", default=10.0, unit="s", minimum=0.1)
    allow_http: bool = option("Whether http:// is allowed as well.", default=False)
    ssrf_protection: bool = option("Whether only public addresses are connected to.", default=True)
    allow_networks: tuple[str, ...] = option("Networks that are allowed beside the public ones.", default=())
    tls_ca_cert: str = option("Path of the authorities to trust, instead of the system's.", default="")
    tls_client_cert: str = option("Path of the client's certificate.", default="")
    tls_client_key: str = option("Path of the client's key.", default="")


@dataclass(slots=True)
class _Call:
    """One call of `send`: what has failed so far, and who has to wait therefore."""

    messages: Sequence[Outgoing]
    failures: dict[int, Failure]
    accepted: int = 0
    waiting: dict[str, Failure] = field(default_factory=dict)  # by key
    stopped: Failure | None = None  # nothing more is attempted

    def fail(self, indexes: Iterable[int], failure: Failure) -> None:
        for index in indexes:
            self.failures[index] = failure
            key = self.messages[index].key
            if key is not None and failure.kind.is_of_destination:
                self.waiting[key] = failure

    def without_waiting(self, request: Request) -> Request:
        """What of a request may be sent; the rest fails like the earlier message of its key that it waits for."""
        for index in request.indexes:
            failure = self.stopped or self.waiting.get(self.messages[index].key or "")
            if failure is not None:
                self.fail([index], failure)
        return Request(request.address, tuple(index for index in request.indexes if index not in self.failures))


class WebhookSink:
    """A session of HTTP, with as many connections as requests may be under way."""

    keeps_order = False

    def __init__(self, options: WebhookOptions) -> None:
        self._options = options
        self._url = _checked(options)
        self._keys = keys(Scheme.STANDARD, options.signing_secret)
        self._guard = Guard(networks(options.allow_networks), everything=not options.ssrf_protection)
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(options.max_concurrency)

    async def open(self) -> None:
        options = self._options
        context = tls.context(options.tls_ca_cert, options.tls_client_cert, options.tls_client_key)
        await self._check_address()
        connector = aiohttp.TCPConnector(
            limit=self._options.max_concurrency,
            ssl=context,
            socket_factory=self._guard.socket_for,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": "Trickle", **_authorization(self._options), **self._options.headers},
            timeout=aiohttp.ClientTimeout(
                total=self._options.timeout_seconds, connect=self._options.connect_timeout_seconds
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        batched = self._options.batch_messages > 1
        faults = {i: fault for i, message in enumerate(messages) if (fault := fault_of(message, batched=batched))}
        call = _Call(messages, faults)
        sound = [index for index in range(len(messages)) if index not in faults]
        last_of: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            for request in requests(messages, sound, self._options.batch_messages, self._options.batch_bytes):
                its_keys = {key for index in request.indexes if (key := messages[index].key) is not None}
                earlier = {last_of[key] for key in its_keys if key in last_of}
                task = group.create_task(self._deliver(call, request, earlier))
                last_of |= dict.fromkeys(its_keys, task)
        if call.stopped is not None and not call.accepted:
            raise ConnectorError(call.stopped.kind, call.stopped.reason, retry_after=call.stopped.retry_after)
        return call.failures

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(aiohttp.ClientError, OSError):
                await session.close()

    async def _deliver(self, call: _Call, request: Request, earlier: set[asyncio.Task[None]]) -> None:
        if earlier:
            await asyncio.wait(earlier)
        async with self._turns:
            await self._post(call, request)

    async def _post(self, call: _Call, request: Request) -> None:
        """Send a request; when it is refused for what is in it, its halves, until what is to blame stands alone."""
        request = call.without_waiting(request)
        if not request.indexes:
            return
        failure, stops = await self._attempt([call.messages[index] for index in request.indexes])
        if failure is None:
            call.accepted += len(request.indexes)
        elif len(request.indexes) > 1 and not failure.kind.is_of_destination:
            for half in halves(request):
                await self._post(call, half)
        else:
            call.fail(request.indexes, failure)
            if stops:
                call.stopped = failure

    async def _attempt(self, messages: Sequence[Outgoing]) -> tuple[Failure | None, bool]:
        """What became of one request, and whether it is useless to go on."""
        if self._session is None:
            return Failure(FailureKind.UNAVAILABLE, "the webhook is closed"), True
        body, content_type = body_of(messages, batched=self._options.batch_messages > 1)
        headers = {**headers_of(messages, body, int(time.time()), self._keys), "Content-Type": content_type}
        url = URL(url_of(str(self._url), messages[0].address), encoded=True)
        try:
            async with self._session.request(
                self._options.method, url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                failure = failure_of(answer.status, answer.headers.get("Retry-After"), _now)
                with suppress(aiohttp.ClientError, TimeoutError):
                    await answer.content.read(_ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _broken(error, self._url.host or "")
        return failure, failure is not None and _concerns_all(failure)

    async def _check_address(self) -> None:
        host, port = self._url.host or "", self._url.port
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._options.connect_timeout_seconds):
                found = await loop.getaddrinfo(host, port)
        except (OSError, TimeoutError, UnicodeError) as error:
            reason = f"the name {host} cannot be resolved: {error or 'no answer in time'}"
            raise ConnectorError(FailureKind.UNAVAILABLE, reason) from error
        if not any(self._guard.allows(str(where[0])) for *_, where in found):
            raise ConnectorError(FailureKind.DESTINATION, f"{host}: {AddressRefused().strerror}")


def _checked(options: WebhookOptions) -> URL:
    try:
        url = URL(options.url)
    except ValueError as error:
        raise ConfigurationError(f"webhook: the url is not valid: {error}") from error
    if url.scheme not in ("https", "http") or not url.host:
        raise ConfigurationError("webhook: the url does not begin with https:// and a host")
    if url.scheme == "http" and not options.allow_http:
        raise ConfigurationError("webhook: the url is not https", hint='"allow_http": true allows it')
    if url.user or url.password:
        raise ConfigurationError(
            "webhook: the url has a user or password in it", hint="use the keys username and password, or bearer_token"
        )
    if options.bearer_token and options.username:
        raise ConfigurationError("webhook: both bearer_token and username are given; a request can have one")
    return url


def _authorization(options: WebhookOptions) -> Mapping[str, str]:
    if options.bearer_token:
        return {"Authorization": f"Bearer {options.bearer_token}"}
    if options.username:
        named = f"{options.username}:{options.password}".encode()
        return {"Authorization": "Basic " + base64.b64encode(named).decode()}
    return {}


def _broken(error: Exception, host: str) -> tuple[Failure, bool]:
    """A request without an answer."""
    match error:
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, AddressRefused):
            return Failure(FailureKind.DESTINATION, f"{host}: {error.os_error.strerror}"), True
        case aiohttp.ClientSSLError():
            return Failure(FailureKind.TLS, f"{host}: no TLS connection ({type(error.os_error).__name__})"), True
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return Failure(FailureKind.UNAVAILABLE, f"{host}: no connection"), True
        case TimeoutError():
            return Failure(FailureKind.TIMEOUT, f"{host}: no answer in time"), False
        case _:
            reason = f"{host}: the connection was lost before the answer ({type(error).__name__})"
            return Failure(FailureKind.UNAVAILABLE, reason), False


def _concerns_all(failure: Failure) -> bool:
    """Whether the receiver would say the same to every message just now. A 5xx may be about one of them."""
    return failure.kind in (FailureKind.THROTTLED, FailureKind.AUTHENTICATION, FailureKind.AUTHORIZATION)


def _now() -> datetime:
    return datetime.now(UTC)


CONNECTOR = SinkConnector(
    name="webhook",
    options=WebhookOptions,
    make=WebhookSink,
    address="a path below the URL",
    identity="the headers webhook-id and Idempotency-Key: the event id, or a hash of those of a batch",
    boundary="the receiver has answered with 2xx",
    extra="http",
)
