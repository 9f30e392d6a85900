"""One connection to RabbitMQ with one channel, used until it is lost and never opened again by itself.

The client (pika) writes a message when it is told to and calls back for what comes, all in our loop: the order of the
messages is the order of the calls, and a confirmation is looked up by its number.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pika
import pika.exceptions as errors
from pika.adapters.asyncio_connection import AsyncioConnection

from trickle.relay.brokers import tls
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.options import option

Answer = TypeVar("Answer")

_CLOSE_SECONDS = 1.0  # a peer that does not say goodbye is not waited for; missing heartbeats end what is left
SHORT = 255  # bytes of what AMQP calls a short string


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitmqConnection:
    """How RabbitMQ is reached."""

    url: str = option("Server: amqp://host:5672/vhost, or amqps:// with TLS.")
    username: str = option("User, instead of the url's.", default="")
    password: str = option("Password.", default="", secret=True)
    tls_ca_cert: str = option("Path of the authorities to trust, instead of the system's.", default="")
    tls_client_cert: str = option("Path of the client's certificate.", default="")
    tls_client_key: str = option("Path of the client's key.", default="")
    heartbeat_seconds: int = option("How often a sign of life is sent.", default=10, unit="s", minimum=1)
    connect_timeout_seconds: float = option("How long connecting may take.", default=10.0, unit="s", minimum=0.1)
    timeout_seconds: float = option("How long an answer may take.", default=30.0, unit="s", minimum=0.1)


class Link:
    """A connection and its channel, from `open` until they are lost or closed."""

    def __init__(self, options: RabbitmqConnection) -> None:
        self._options = options
        self._connection: AsyncioConnection | None = None
        self._error: BaseException | None = None
        self._is_open = False
        self.channel: Any = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # done when they are lost

    async def open(self) -> None:
        """Connect, authenticate, open the channel. Raises ConnectorError."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        parameters = _parameters(self._options)

        def fail(_: object, error: BaseException | str) -> None:
            if not opened.done():
                opened.set_exception(error if isinstance(error, BaseException) else OSError(error))

        def succeed(_: object) -> None:
            if not opened.done():
                opened.set_result(None)

        try:
            async with asyncio.timeout(self._options.connect_timeout_seconds):
                self._connection = AsyncioConnection(
                    parameters,
                    on_open_callback=succeed,
                    on_open_error_callback=fail,
                    on_close_callback=self._lost,
                    custom_ioloop=loop,
                )
                await opened
                self._is_open = True
                self.channel = await self.call(self._connection.channel, "on_open_callback")
                self.channel.add_on_close_callback(self._lost)
        except ConnectorError:
            raise
        except Exception as error:
            raise self.refusal(error) from None

    def check(self) -> None:
        """Raise ConnectorError if the connection or its channel is lost."""
        if not self._is_open:
            raise self.refusal(self._error)

    async def call(self, method: Callable[..., Any], callback: str = "callback", **arguments: Any) -> Any:
        """What a method of the client calls back with. Raises ConnectorError."""
        self.check()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answered(given: Any) -> None:
            if not answer.done():
                answer.set_result(given)

        try:
            method(**{callback: answered}, **arguments)
        except (errors.AMQPError, ValueError) as error:
            raise self.refusal(error) from None
        return await self.wait(answer, self._options.timeout_seconds, "answer")

    async def wait(self, answer: asyncio.Future[Answer], seconds: float, what: str) -> Answer:
        """The answer; raises ConnectorError when the connection is lost before it, or time is up."""
        await asyncio.wait((answer, self.gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self.check()
            raise ConnectorError(FailureKind.TIMEOUT, f"RabbitMQ {host(self._options)}: no {what} within {seconds:g} s")
        return answer.result()

    def lose(self, error: BaseException) -> None:
        """Nothing more can be done here."""
        self._lost(None, error)

    def refusal(self, error: BaseException | None) -> ConnectorError:
        """The error that says what the server or the client said."""
        said = "the connection is closed" if error is None else _words(error)
        return ConnectorError(kind_of(error), f"RabbitMQ {host(self._options)}: {said}")

    async def close(self) -> None:
        """Let go, politely if that is quick."""
        was_open, self._is_open = self._is_open, False
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed:
            return
        with contextlib.suppress(Exception):
            connection.close()
            if was_open:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await asyncio.shield(self.gone)

    def _lost(self, _: object, error: BaseException) -> None:
        self._is_open = False
        self._error = self._error or error
        if not self.gone.done():
            self.gone.set_result(None)


def _parameters(options: RabbitmqConnection) -> pika.URLParameters:
    try:
        parameters = pika.URLParameters(options.url)
    except ValueError:
        raise ConnectorError(
            FailureKind.DESTINATION, "url names no RabbitMQ server: give it like amqp://host:5672/vhost"
        ) from None
    if options.username or options.password:
        parameters.credentials = pika.PlainCredentials(options.username or "guest", options.password)
    if parameters.ssl_options is not None:
        context = tls.context(options.tls_ca_cert, options.tls_client_cert, options.tls_client_key)
        parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    elif options.tls_ca_cert or options.tls_client_cert:
        raise ConnectorError(FailureKind.TLS, "certificates are for TLS: give the url like amqps://host:5671/vhost")
    parameters.connection_attempts = 1
    parameters.socket_timeout = options.connect_timeout_seconds
    parameters.stack_timeout = options.connect_timeout_seconds
    parameters.heartbeat = options.heartbeat_seconds
    parameters.client_properties = {"connection_name": "trickle"}
    return parameters


def host(options: RabbitmqConnection) -> str:
    """The server without what may be secret in its address."""
    return urlsplit(options.url).netloc.rpartition("@")[2]


_BY_CODE = {
    311: FailureKind.TOO_LARGE,
    320: FailureKind.UNAVAILABLE,  # closed by an operator
    402: FailureKind.REJECTED,
    403: FailureKind.AUTHORIZATION,
    404: FailureKind.DESTINATION,
    405: FailureKind.UNAVAILABLE,  # somebody else has the queue for himself
    530: FailureKind.AUTHORIZATION,
}
_BY_PRECONDITION = {
    "message size": FailureKind.TOO_LARGE,
    "inequivalent arg": FailureKind.DESTINATION,  # declared otherwise than we do
    "invalid arg": FailureKind.DESTINATION,
}


def kind_of(error: BaseException | None) -> FailureKind:
    """What an error of the server or the client means for the connection."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLError():
                return FailureKind.TLS
            case errors.AuthenticationError() | errors.ProbableAuthenticationError():
                return FailureKind.AUTHENTICATION
            case errors.ProbableAccessDeniedError():
                return FailureKind.DESTINATION if "not found" in str(cause) else FailureKind.AUTHORIZATION
            case errors.ConnectionClosedByBroker() | errors.ChannelClosedByBroker():
                code, text = cause.reply_code, cause.reply_text
                if code == 530 and "not found" in text:
                    return FailureKind.DESTINATION
                if code == 403 and "exclusive use" in text:
                    return FailureKind.UNAVAILABLE  # another consumer is there, until it is not
                if code == 406:
                    return next(
                        (kind for word, kind in _BY_PRECONDITION.items() if word in text), FailureKind.UNAVAILABLE
                    )
                return _BY_CODE.get(code, FailureKind.UNAVAILABLE)
            case TimeoutError() | errors.AMQPHeartbeatTimeout():
                return FailureKind.TIMEOUT
    return FailureKind.UNAVAILABLE


def _causes(error: BaseException | None) -> list[BaseException]:
    """The error and those inside it: the client wraps what the socket says."""
    found: list[BaseException] = []
    rest = [error] if error is not None else []
    while rest and len(found) < 20:
        cause = rest.pop(0)
        found.append(cause)
        rest += [inner for inner in cause.args if isinstance(inner, BaseException)]
        nested = getattr(cause, "exceptions", ())
        rest += [inner for inner in nested if isinstance(inner, BaseException)]
        rest += [inner for inner in (cause.__cause__, getattr(cause, "exception", None)) if inner is not None]
    return found


def _words(error: BaseException) -> str:
    """The innermost that says something, no more than a line."""
    for cause in reversed(_causes(error)):
        if isinstance(cause, errors.ConnectionClosed | errors.ChannelClosed):
            return f"{cause.reply_text} ({cause.reply_code})"[:300]
        if isinstance(cause, TimeoutError):
            return "no answer in time"
        if str(cause):
            return str(cause).splitlines()[0][:300]
    return type(error).__name__
