"""A connection to NATS that ends when it is lost, and says why.

The client's own reconnecting is off. It would send again, on the new connection, what it had not written to the old
one, behind what has been sent since; and nobody would know which messages of the old one had arrived. A lost
connection is an error instead, for whoever waits on it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client

from trickle.relay.brokers import tls
from trickle.relay.brokers.nats_headers import PLAIN, read_block
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.options import option

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_CLOSE_SECONDS = 1.0  # a peer that does not say goodbye is not waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsConnection:
    """How NATS is reached."""

    url: str = option("Servers, separated by commas: nats://a:4222,nats://b:4222.")
    user: str = option("User name.", default="")
    password: str = option("Password.", default="", secret=True)
    token: str = option("Token, where the server wants one instead of a user.", default="", secret=True)
    nkey: str = option("Seed of an nkey (SU…).", default="", secret=True)
    credentials: str = option("Path of a credentials file (.creds), which holds a JWT and a seed.", default="")
    tls_enabled: bool = option("Insist on TLS, as a certificate here or tls:// in the url do.", default=False)
    tls_ca_cert: str = option("Path of the authorities to trust, instead of the system's.", default="")
    tls_client_cert: str = option("Path of the client's certificate.", default="")
    tls_client_key: str = option("Path of the client's key.", default="")
    tls_hostname: str = option("Name that the server's certificate must bear, if not its host's.", default="")
    connect_timeout_seconds: float = option("How long connecting may take.", default=5.0, unit="s", minimum=0.1)
    timeout_seconds: float = option("How long an answer may take.", default=30.0, unit="s", minimum=0.1)


class _Client(Client):
    """Insists on TLS if told to, and reads headers as they are on the wire.

    The client itself speaks TLS only where the server requires it, and sends a password in the clear elsewhere. And it
    drops all headers of a message when one is not ASCII.
    """

    insists_on_tls = False

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if self.insists_on_tls and initial_connection:
            if not info.get("tls_required") and not info.get("tls_available"):
                raise ssl.SSLError("the server does not offer TLS")
            info["tls_required"] = True
        await super()._process_info(info, initial_connection)

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        if not headers or not headers.startswith(PLAIN):
            answer: dict[str, str] | None = await super()._process_headers(headers)  # a status
            return answer
        return read_block(headers)


class Link:
    """One connection, from `open` until it is lost or closed."""

    def __init__(self, options: NatsConnection, on_forbidden: Callable[[str], None]) -> None:
        self._options = options
        self._on_forbidden = on_forbidden  # gets the server's words, in lower case
        self._error: BaseException | None = None  # why it is lost
        self._is_open = False
        self._is_closed = False
        self.client = _Client()
        self.client.insists_on_tls = _wants_tls(options)
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # done when it is lost

    async def open(self) -> None:
        """Connect and authenticate. Raises ConnectorError."""
        options = self._options
        servers = _servers(options)
        try:
            async with asyncio.timeout(options.connect_timeout_seconds * (len(servers) + 1)):
                await self.client.connect(servers, **_arguments(options), error_cb=self._failed, closed_cb=self._closed)
        except Exception as error:
            cause = self._error if isinstance(error, nats.errors.NoServersError) else error
            await self.close()
            raise refusal(options, cause) from None
        self._is_open, self._error = True, None

    def check(self) -> None:
        """Raise ConnectorError if the connection is lost."""
        if not self._is_open or not self.client.is_connected:
            # A connection that is closed for being silent is closed without a word.
            self._lose(self.client.last_error)
            raise refusal(self._options, self._error)

    async def wait(self, answer: asyncio.Future[Answer], seconds: float, what: str) -> Answer:
        """The answer; raises ConnectorError when the connection is lost before it, or time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not answer.done():
            remaining = deadline - loop.time()
            if remaining <= 0:
                raise ConnectorError(
                    FailureKind.TIMEOUT, f"NATS {hosts(self._options)}: no {what} within {seconds:g} s"
                )
            await asyncio.wait((answer, self.gone), timeout=min(remaining, 1.0), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self.check()
        return answer.result()

    async def round_trip(self) -> None:
        """Return when the server has read all that was sent before. Raises ConnectorError."""
        self.check()
        seconds = self._options.timeout_seconds
        pong = asyncio.ensure_future(self.client.flush(math.ceil(seconds)))
        try:
            await self.wait(pong, seconds, "answer to a ping")
        except nats.errors.Error as error:
            self._lose(error)
            raise refusal(self._options, error) from None
        finally:
            pong.cancel()
        self.check()

    async def close(self) -> None:
        """Let go; what is not written yet may be lost."""
        if self._is_closed:
            return
        self._is_open, self._is_closed = False, True
        client = self.client
        if client.is_closed:
            # It closed itself when it found the connection lost, in a task which that cancelled before the rest was
            # tidied up. So it is made to close again, without what it would still write.
            client._status = Client.DISCONNECTED
            client._pending_data_size = 0
        reading = client._reading_task
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await client.close()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Otherwise nobody cancelled this: what the client waits for was cancelled with its own task.
        except Exception as error:
            log.debug("closing NATS: %s", error_text(error))
        if reading is not None and reading.done() and not reading.cancelled():
            reading.exception()  # known already

    async def _failed(self, error: Exception) -> None:
        if "permissions violation" in str(error) and "subscription" not in str(error):
            self._on_forbidden(str(error))
        elif isinstance(error, OSError | nats.errors.Error):  # others are of one message
            self._lose(error)

    async def _closed(self) -> None:
        self._lose(self.client.last_error)

    def _lose(self, error: BaseException | None) -> None:
        self._error = self._error or error
        if self._is_open:
            self._is_open = False
            self.gone.set_result(None)


def _servers(options: NatsConnection) -> list[str]:
    scheme = "tls" if options.tls_enabled else "nats"
    named = [part.strip() for part in options.url.split(",") if part.strip()]
    servers = [part if "://" in part else f"{scheme}://{part}" for part in named]
    try:
        parts = [urlsplit(server) for server in servers]
        if not parts or not all(part.hostname and part.port != 0 for part in parts):
            raise ValueError
    except ValueError:
        raise ConnectorError(
            FailureKind.DESTINATION, "url names no NATS server: give it like nats://host:4222"
        ) from None
    return [server if part.port else f"{server}:4222" for server, part in zip(servers, parts, strict=True)]


def _arguments(options: NatsConnection) -> dict[str, Any]:
    if options.credentials:
        Path(options.credentials).read_bytes()  # the client would look for it only when a server asks
    trust = None
    if _wants_tls(options):
        trust = tls.context(options.tls_ca_cert, options.tls_client_cert, options.tls_client_key)
    return {
        "name": "trickle",
        "user": options.user or None,
        "password": options.password or None,
        "token": options.token or None,
        "nkeys_seed_str": options.nkey or None,
        "user_credentials": options.credentials or None,
        "tls": trust,
        "tls_hostname": options.tls_hostname or None,
        "allow_reconnect": False,
        "max_reconnect_attempts": 1,  # each server is tried twice, then connecting has failed
        "reconnect_time_wait": 0.05,
        "connect_timeout": options.connect_timeout_seconds,
        "flush_timeout": options.timeout_seconds,
        "ping_interval": 10,
    }


def _wants_tls(options: NatsConnection) -> bool:
    files = options.tls_ca_cert or options.tls_client_cert
    return options.tls_enabled or bool(files) or "tls://" in options.url


def hosts(options: NatsConnection) -> str:
    """The servers without what may be secret in their addresses."""
    return ",".join(urlsplit(server).netloc.rpartition("@")[2] for server in _servers(options))


def refusal(options: NatsConnection, error: BaseException | None) -> ConnectorError:
    """The error that says what the client said."""
    if isinstance(error, ConnectorError):
        return error
    return ConnectorError(kind_of(error), f"NATS {hosts(options)}: {error_text(error)}")


def kind_of(error: BaseException | None) -> FailureKind:
    """What an error of the client means for the connection."""
    said = str(error).lower()
    match error:
        case ssl.SSLError():
            return FailureKind.TLS
        case TimeoutError():
            return FailureKind.TIMEOUT
        case nats.errors.AuthorizationError():
            return FailureKind.AUTHENTICATION
        case ValueError() | FileNotFoundError() | PermissionError():  # a seed or a file of credentials
            return FailureKind.AUTHENTICATION
        case Exception() if type(error).__module__.startswith("nkeys"):
            return FailureKind.AUTHENTICATION
    if "authorization" in said or "authentication" in said or "credentials" in said or "revoked" in said:
        return FailureKind.AUTHENTICATION
    if "permissions violation" in said:
        return FailureKind.AUTHORIZATION
    if "tls" in said:
        return FailureKind.TLS
    return FailureKind.UNAVAILABLE


def error_text(error: BaseException | None) -> str:
    """The error in words; a client's error may have none, and a seed's may hold the seed."""
    if isinstance(error, ValueError) or type(error).__module__.startswith("nkeys"):
        return "the nkey or the credentials cannot be read"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (
        str(error).removeprefix("nats: ") or type(error).__name__ if error is not None else "the connection is closed"
    )


_KINDS = {
    10054: FailureKind.TOO_LARGE,  # above the stream's own limit
    10060: FailureKind.DESTINATION,  # not the expected stream
    10077: FailureKind.THROTTLED,  # the stream is full and discards new messages
    10167: FailureKind.THROTTLED,
    10039: FailureKind.DESTINATION,  # no JetStream for this account
    10076: FailureKind.DESTINATION,
}
_KINDS_OF_CLASSES = {
    401: FailureKind.AUTHORIZATION,
    403: FailureKind.AUTHORIZATION,
    404: FailureKind.DESTINATION,
    429: FailureKind.THROTTLED,
    500: FailureKind.UNAVAILABLE,
    503: FailureKind.UNAVAILABLE,
}


def judge(code: int | None, err_code: int | None, description: str | None) -> Failure:
    """An error of JetStream: the finer code decides where it is known, else the class, else it will never be taken."""
    kind = _KINDS.get(err_code or 0) or _KINDS_OF_CLASSES.get(code or 0, FailureKind.REJECTED)
    return Failure(kind, f"JetStream: {description or 'error'} ({err_code or code})")
