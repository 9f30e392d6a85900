"""What the connectors to MQTT share: a connection to a broker that speaks version 5, run by the client's own thread.

The client could reconnect by itself, and would then send again what it has not heard of, before or after something
newer. That is the relay's to decide, so a connection that is lost stays lost: everybody who waits hears of it, and a
new one is opened. The thread calls back through the event loop; nothing here is touched by two threads,
for one that connects is waited for.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from trickle.errors import ConfigurationError
from trickle.relay.brokers import tls
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.options import option
from trickle.relay.threads import in_thread

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_GOODBYE_SECONDS = 3.0
_LARGEST_PACKET = 268_435_455
_MOST_AT_ONCE = 65_535
_NO_TOPIC = "trickle/nothing"

_KINDS = {
    0x81: FailureKind.REJECTED,  # malformed packet
    0x82: FailureKind.REJECTED,  # protocol error
    0x84: FailureKind.DESTINATION,  # not version 5
    0x85: FailureKind.DESTINATION,  # client identifier
    0x86: FailureKind.AUTHENTICATION,
    0x87: FailureKind.AUTHORIZATION,
    0x8A: FailureKind.AUTHORIZATION,  # banned
    0x8C: FailureKind.AUTHENTICATION,
    0x8F: FailureKind.DESTINATION,  # topic filter
    0x90: FailureKind.DESTINATION,  # topic name
    0x95: FailureKind.TOO_LARGE,
    0x96: FailureKind.THROTTLED,
    0x97: FailureKind.THROTTLED,
    0x99: FailureKind.REJECTED,  # payload format
    0x9F: FailureKind.THROTTLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttConnection:
    """How a broker is reached."""

    url: str = option("Server: mqtt://host:1883, or mqtts://host:8883 with TLS.")
    username: str = option("User name.", default="")
    password: str = option("Password.", default="", secret=True)
    tls_ca_cert: str = option("Path of the authorities to trust, instead of the system's.", default="")
    tls_client_cert: str = option("Path of the client's certificate.", default="")
    tls_client_key: str = option("Path of the client's key.", default="")
    connect_timeout_seconds: float = option("How long connecting may take.", default=10.0, unit="s", minimum=0.1)
    keepalive_seconds: int = option(
        "After so long without a word the broker is asked whether it lives.", default=15, unit="s", minimum=1
    )


@dataclass(frozen=True, slots=True)
class Presence:
    """How a client presents itself to the broker."""

    client_id: str
    clean_start: bool = True
    session_seconds: int = 0  # for which the broker keeps messages for us after the connection has ended
    receive_maximum: int = _MOST_AT_ONCE  # so many messages may be with us unacknowledged
    manual_ack: bool = False


class Session:
    """One connection."""

    def __init__(self, options: MqttConnection, presence: Presence) -> None:
        self._host, self._port, self._with_tls = _place(options.url)
        self._options = options
        self._presence = presence
        self._client: paho.Client | None = None
        self._answers: dict[int, asyncio.Future[ReasonCode]] = {}  # by packet identifier
        self._ended = asyncio.Event()
        self.lost: ConnectorError | None = None  # why there is no connection any more
        self.largest_packet = _LARGEST_PACKET
        self.slots = asyncio.Semaphore(_MOST_AT_ONCE)  # one for each message without an answer

    @property
    def client(self) -> paho.Client:
        """The client, connected as far as anybody knows. Raises ConnectorError."""
        if self.lost is not None or self._client is None:
            raise self.lost or ConnectorError(FailureKind.UNAVAILABLE, "the connection to the broker is not open")
        return self._client

    def check(self) -> None:
        """Raises ConnectorError when there is no connection."""
        _ = self.client

    async def open(
        self, on_message: Callable[[paho.MQTTMessage], None] | None = None, on_lost: Callable[[], None] | None = None
    ) -> None:
        """Connect; from then on each message and the end of the connection are told. Raises ConnectorError."""
        loop = asyncio.get_running_loop()
        connected: asyncio.Future[None] = loop.create_future()

        def tell(what: Callable[..., None], *about: object) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(what, *about)

        def end(reason: ReasonCode) -> None:
            kind = kind_of(reason) if reason.is_failure else FailureKind.UNAVAILABLE
            what = f"{self._host}: the connection to the broker has ended: {reason.getName()}"
            self._lose(ConnectorError(kind, what), connected)
            if on_lost is not None:
                on_lost()

        def connect(reason: ReasonCode, properties: Properties | None) -> None:
            if reason.is_failure:
                # In this answer "not authorized" is about who we are.
                is_about_us = kind_of(reason) is FailureKind.AUTHORIZATION
                kind = FailureKind.AUTHENTICATION if is_about_us else kind_of(reason)
                what = f"{self._host}: the broker refuses the connection: {reason.getName()}"
                self._lose(ConnectorError(kind, what), connected)
            elif not connected.done():
                self._heed(properties)
                connected.set_result(None)

        client = self._made()
        client.on_connect = lambda _c, _u, _f, reason, properties: tell(connect, reason, properties)
        client.on_disconnect = lambda _c, _u, _f, reason, _p: tell(end, reason)
        client.on_publish = lambda _c, _u, mid, reason, _p: tell(self._answer, mid, reason)
        client.on_unsubscribe = lambda _c, _u, mid, reasons, _p: tell(self._answer, mid, max(reasons, key=_severity))
        client.on_subscribe = lambda _c, _u, mid, reasons, _p: tell(self._answer, mid, max(reasons, key=_severity))
        if on_message is not None:
            client.on_message = lambda _c, _u, message: tell(on_message, message)
        await self._start(client, connected)

    def publish(
        self, topic: str, body: bytes, qos: int, retain: bool, properties: Properties
    ) -> asyncio.Future[ReasonCode]:
        """Send a message; what the broker will say, or that the connection was lost."""
        if self._client is None or self.lost is not None:
            return self.expect(0)
        return self.expect(self._client.publish(topic, body, qos, retain, properties).mid)

    def expect(self, mid: int) -> asyncio.Future[ReasonCode]:
        """What the broker will say to a packet; to be called in the same breath as it is sent."""
        future: asyncio.Future[ReasonCode] = asyncio.get_running_loop().create_future()
        if self.lost is not None:
            _fail(future, self.lost)
        else:
            self._answers[mid] = future
        return future

    async def settle(self) -> None:
        """Wait until the broker has read all that was sent, as far as it can be had.

        It answers packets in order, so it is asked for something that changes nothing. Who just hangs up may find that
        acknowledgements behind were not read any more.
        """
        if self.lost is not None or self._client is None:
            return
        _, mid = self._client.unsubscribe(_NO_TOPIC)
        if mid is not None:
            with suppress(TimeoutError, ConnectorError):
                await asyncio.wait_for(self.expect(mid), _GOODBYE_SECONDS)

    def give_up(self, kind: FailureKind, reason: str) -> ConnectorError:
        """Nothing can be trusted on this connection any more."""
        error = ConnectorError(kind, reason)
        self._lose(error)
        return error

    async def close(self) -> None:
        """Say goodbye, or at least hang up."""
        client, self._client = self._client, None
        if client is None:
            return
        client.disconnect()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _GOODBYE_SECONDS)
        found = client.socket()
        if isinstance(found, socket.socket):
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
        await in_thread(lambda _: client.loop_stop())
        self._lose(ConnectorError(FailureKind.UNAVAILABLE, "the connection to the broker is closed"))

    def _made(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._presence.client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=self._presence.manual_ack,
        )
        client.max_inflight_messages_set(0)  # the slots are for that, by the broker's own word
        client.connect_timeout = self._options.connect_timeout_seconds
        if self._options.username:
            client.username_pw_set(self._options.username, self._options.password or None)
        if self._with_tls:
            options = self._options
            client.tls_set_context(tls.context(options.tls_ca_cert, options.tls_client_cert, options.tls_client_key))
        return client

    async def _start(self, client: paho.Client, connected: asyncio.Future[None]) -> None:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._presence.session_seconds
        properties.ReceiveMaximum = self._presence.receive_maximum

        def connect(_: threading.Event) -> None:
            client.connect(
                self._host,
                self._port,
                keepalive=self._options.keepalive_seconds,
                clean_start=self._presence.clean_start,
                properties=properties,
            )
            self._client = client

        try:
            await in_thread(connect)
        except ssl.SSLError as error:
            raise ConnectorError(FailureKind.TLS, f"{self._host}: no TLS connection ({error.reason})") from error
        except (OSError, UnicodeError) as error:
            raise ConnectorError(FailureKind.UNAVAILABLE, f"{self._host} port {self._port}: {error}") from error
        client.loop_start()
        try:
            async with asyncio.timeout(self._options.connect_timeout_seconds):
                await connected
        except TimeoutError:
            raise ConnectorError(FailureKind.UNAVAILABLE, f"{self._host}: the broker does not answer") from None

    def _heed(self, properties: Properties | None) -> None:
        """Send no more at once, and nothing larger, than the broker takes; it would hang up."""
        known = properties.json() if properties is not None else {}
        self.largest_packet = int(known.get("MaximumPacketSize", _LARGEST_PACKET))
        self.slots = asyncio.Semaphore(int(known.get("ReceiveMaximum", _MOST_AT_ONCE)))

    def _answer(self, mid: int, reason: ReasonCode) -> None:
        future = self._answers.pop(mid, None)
        if future is not None and not future.done():
            future.set_result(reason)

    def _lose(self, error: ConnectorError, connected: asyncio.Future[None] | None = None) -> None:
        self.lost = self.lost or error
        self._ended.set()
        if connected is not None and not connected.done():
            connected.set_exception(self.lost)
        for future in self._answers.values():
            if not future.done():
                _fail(future, self.lost)
        self._answers.clear()


def kind_of(reason: ReasonCode) -> FailureKind:
    """What a reason code means; an unspecified one passes."""
    return _KINDS.get(reason.value, FailureKind.UNAVAILABLE)


def _fail(future: asyncio.Future[ReasonCode], error: ConnectorError) -> None:
    future.set_exception(error)
    future.exception()  # who waits for it hears of it; where nobody does, that is no news


def _severity(reason: ReasonCode) -> int:
    return int(reason.value)


def _place(url: str) -> tuple[str, int, bool]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"mqtt: the url is not valid: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigurationError("mqtt: the url does not begin with mqtt:// or mqtts:// and a host")
    if parts.username or parts.password:
        raise ConfigurationError(
            "mqtt: the url has a user or password in it", hint="use the keys username and password"
        )
    return parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "mqtts"
