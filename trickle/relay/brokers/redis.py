"""One connection to Redis or Valkey, which is used until it fails and never opened again by itself.

The client's pipelines would try again on a new connection what may already have happened on the old one, and would
quote whole messages in their errors. So commands are written here, and their answers read, in the order of the calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import redis.exceptions as errors
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from trickle.relay.brokers import tls
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.options import option

Command = tuple[bytes | str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisConnection:
    """How Redis is reached."""

    url: str = option("Server: redis://host:6379/0, or rediss:// with TLS.")
    username: str = option("User of the access control list.", default="")
    password: str = option("Password.", default="", secret=True)
    tls_ca_cert: str = option("Path of the authorities to trust, instead of the system's.", default="")
    tls_client_cert: str = option("Path of the client's certificate.", default="")
    tls_client_key: str = option("Path of the client's key.", default="")
    connect_timeout_seconds: float = option("How long connecting may take.", default=5.0, unit="s", minimum=0.1)
    timeout_seconds: float = option("How long an answer may take.", default=30.0, unit="s", minimum=0.1)


class Wire:
    """A connection: commands go out in the order of the calls, and their answers come back in it."""

    def __init__(self, options: RedisConnection) -> None:
        self._options = options
        self._turn = asyncio.Lock()
        self._connection: AbstractConnection | None = None

    async def open(self) -> None:
        """Connect and authenticate. Raises ConnectorError."""
        self._connection = connection = _connection(self._options)
        try:
            async with asyncio.timeout(self._options.connect_timeout_seconds * 2):
                await connection.connect()  # type: ignore[no-untyped-call]
            answer = (await self.ask([("PING",)]))[0]
        except (errors.RedisError, OSError) as error:
            raise self.refusal(error) from None
        if isinstance(answer, Exception):
            raise self.refusal(answer)

    async def ask(self, commands: Sequence[Command], *, extra_seconds: float = 0.0) -> list[Any]:
        """The answers in order, errors of single commands among them.

        `extra_seconds` is how long the commands may wait inside the server. Raises ConnectorError when the connection
        is lost; then any of the commands may have been carried out.
        """
        async with self._turn:
            connection = self._connection
            if connection is None:
                raise ConnectorError(FailureKind.UNAVAILABLE, f"Redis {host(self._options)}: not connected")
            try:
                return await self._exchange(connection, commands, self._options.timeout_seconds + extra_seconds)
            except BaseException as error:
                self._connection = None
                with contextlib.suppress(Exception):
                    await connection.disconnect(nowait=True)
                if isinstance(error, errors.RedisError | OSError):
                    raise self.refusal(error) from None
                raise

    def refusal(self, error: BaseException) -> ConnectorError:
        """The error that says what the server or the client said."""
        return ConnectorError(kind_of(error), f"Redis {host(self._options)}: {reason(error)}")

    async def close(self) -> None:
        """Let go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.disconnect(nowait=True)

    async def _exchange(self, connection: AbstractConnection, commands: Sequence[Command], seconds: float) -> list[Any]:
        answers: list[Any] = []
        async with asyncio.timeout(seconds):
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            for _ in commands:
                try:
                    answers.append(await connection.read_response(timeout=seconds))
                except errors.ResponseError as error:
                    answers.append(error)
        return answers


def _connection(options: RedisConnection) -> AbstractConnection:
    try:
        arguments: dict[str, Any] = dict(parse_url(options.url))
    except ValueError:
        raise ConnectorError(
            FailureKind.DESTINATION, "url names no Redis server: give it like redis://host:6379/0"
        ) from None
    kind = arguments.pop("connection_class", Connection)
    if options.username:
        arguments["username"] = options.username
    if options.password:
        arguments["password"] = options.password
    if kind is SSLConnection:
        tls.context(options.tls_ca_cert, options.tls_client_cert, options.tls_client_key)  # says which file is wrong
        arguments["ssl_ca_certs"] = options.tls_ca_cert or None
        arguments["ssl_certfile"] = options.tls_client_cert or None
        arguments["ssl_keyfile"] = options.tls_client_key or None
    elif options.tls_ca_cert or options.tls_client_cert:
        raise ConnectorError(FailureKind.TLS, "certificates are for TLS: give the url like rediss://host:6379/0")
    made: AbstractConnection = kind(
        **arguments,
        protocol=2,
        socket_connect_timeout=options.connect_timeout_seconds,
        socket_timeout=options.timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        client_name="trickle",
    )
    return made


def host(options: RedisConnection) -> str:
    """The server without what may be secret in its address."""
    return urlsplit(options.url).netloc.rpartition("@")[2] or urlsplit(options.url).path


_BY_CLASS: tuple[tuple[type[BaseException], FailureKind], ...] = (
    (errors.AuthenticationError, FailureKind.AUTHENTICATION),
    (errors.AuthenticationWrongNumberOfArgsError, FailureKind.AUTHENTICATION),
    (errors.AuthorizationError, FailureKind.AUTHORIZATION),
    (errors.NoPermissionError, FailureKind.AUTHORIZATION),
    (errors.OutOfMemoryError, FailureKind.THROTTLED),
    (errors.TimeoutError, FailureKind.TIMEOUT),
    (TimeoutError, FailureKind.TIMEOUT),
    (errors.MovedError, FailureKind.DESTINATION),
    (errors.AskError, FailureKind.DESTINATION),
    (errors.ClusterCrossSlotError, FailureKind.DESTINATION),
    (errors.ClusterError, FailureKind.UNAVAILABLE),
    (errors.ReadOnlyError, FailureKind.UNAVAILABLE),
    (errors.TryAgainError, FailureKind.UNAVAILABLE),
    (errors.NoScriptError, FailureKind.UNAVAILABLE),
)
_BY_WORD = {
    "NOPERM": FailureKind.AUTHORIZATION,
    "OOM": FailureKind.THROTTLED,
    "WRONGTYPE": FailureKind.DESTINATION,
    "DB index": FailureKind.DESTINATION,
    "MISCONF": FailureKind.UNAVAILABLE,
    "NOREPLICAS": FailureKind.UNAVAILABLE,
    "NOGROUP": FailureKind.UNAVAILABLE,
    "READONLY": FailureKind.UNAVAILABLE,
    "BUSY": FailureKind.UNAVAILABLE,
}


def kind_of(error: BaseException) -> FailureKind:
    """What an error of the server or the client means; a script's errors have their word inside."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return FailureKind.TLS
        cause = cause.__cause__ or cause.__context__
    for known, kind in _BY_CLASS:
        if isinstance(error, known):
            return kind
    if isinstance(error, errors.ResponseError):
        said = str(error)
        return next((kind for word, kind in _BY_WORD.items() if word in said), FailureKind.REJECTED)
    return FailureKind.UNAVAILABLE


def reason(error: BaseException) -> str:
    """The error in words, no more than a line."""
    if isinstance(error, TimeoutError | errors.TimeoutError):
        return "no answer in time"
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
