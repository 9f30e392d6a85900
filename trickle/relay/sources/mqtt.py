"""MQTT 5: what is published to topics, with a session that the broker keeps while nobody is connected.

The broker keeps nothing for a client that it has never seen: what was published before the first connection, or after
the session has expired, does not come.

A message is acknowledged when it is in the inbox, and in the order of arrival, as the protocol wants it; until then it
counts against `max_unacknowledged`, and comes again on the next connection. What is released waits here.

MQTT gives a message no lasting name. Where publishers send no user property `Trickle-Event-Id`, each delivery gets a
name of its own: after a lost connection a message may then be twice in the inbox, and none is missing. With
`equal_messages_are_one` it is a hash of topic and body, for publishers that never mean to say the same twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from trickle.errors import ConfigurationError
from trickle.relay.brokers.mqtt import MqttConnection, Presence, Session, kind_of
from trickle.relay.connector import SourceConnector
from trickle.relay.failures import FailureKind
from trickle.relay.headers import CONTENT_TYPE, UNKNOWN_CONTENT, inbound
from trickle.relay.message import Incoming
from trickle.relay.options import option
from trickle.relay.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttOptions(MqttConnection):
    """What to subscribe to, and who we are: the broker keeps a session for each client identifier."""

    topics: tuple[str, ...] = option("Topics or filters; `$share/<group>/<filter>` shares with others.")
    client_id: str = option("Our name at the broker. A session remembers its topics, so others need another name.")
    session_seconds: int = option(
        "For so long the broker keeps messages for us while we are away.", default=7 * 86_400, unit="s", minimum=1
    )
    max_unacknowledged: int = option(
        "So many messages the broker lends us at once.", default=1000, minimum=1, maximum=65_535
    )
    equal_messages_are_one: bool = option("Whether messages without id are known by what is in them.", default=False)


class MqttSource:
    """One connection, and what the broker has lent us."""

    def __init__(self, options: MqttOptions) -> None:
        if not options.topics or not options.client_id:
            raise ConfigurationError("mqtt: topics and client_id both have to be given")
        self._options = options
        self._session = Session(
            options,
            Presence(
                options.client_id,
                clean_start=False,
                session_seconds=options.session_seconds,
                receive_maximum=options.max_unacknowledged,
                manual_ack=True,
            ),
        )
        self._window: Window[tuple[int, int]] = Window()
        self._has_acknowledged = False

    async def open(self) -> None:
        await self._session.open(self._arrived, self._window.wake)
        topics = [(topic, SubscribeOptions(qos=1)) for topic in self._options.topics]
        try:
            code, mid = self._session.client.subscribe(topics)
        except ValueError as error:
            what = f"a topic of {', '.join(self._options.topics)} is not valid: {error}"
            raise self._session.give_up(FailureKind.DESTINATION, what) from error
        if code is not MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise self._session.give_up(FailureKind.UNAVAILABLE, "the connection ended before the subscription")
        try:
            async with asyncio.timeout(self._options.connect_timeout_seconds):
                reason = await self._session.expect(mid)
        except TimeoutError:
            raise self._session.give_up(FailureKind.TIMEOUT, "the broker does not answer the subscription") from None
        if reason.is_failure:
            what = f"the broker refuses the subscription: {reason.getName()}"
            raise self._session.give_up(kind_of(reason), what)

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        if self._session.lost is None:
            taken = await self._window.receive(limit, wait_seconds)
            if taken:
                return taken
        if self._session.lost is not None:
            raise self._session.lost
        return []

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        client = self._session.client
        for mid, qos in self._window.acknowledge(messages):
            client.ack(mid, qos)
            self._has_acknowledged = True

    async def release(self, messages: Sequence[Incoming]) -> None:
        self._window.release(messages)

    async def close(self) -> None:
        if self._has_acknowledged:
            await self._session.settle()
        await self._session.close()

    def _arrived(self, message: MQTTMessage) -> None:
        found = message.properties.json() if message.properties is not None else {}
        headers = {str(name): str(value) for name, value in found.get("UserProperty", [])}
        arrival = inbound({**headers, CONTENT_TYPE: str(found.get("ContentType", UNKNOWN_CONTENT))})
        made = partial(
            Incoming,
            arrival.event_id or self._name(message),
            arrival.event_type,
            f"mqtt:{message.topic}",
            arrival.key,
            bytes(message.payload),
            arrival.content_type,
            arrival.headers,
        )
        self._window.put((message.mid, message.qos), made)

    def _name(self, message: MQTTMessage) -> str:
        if not self._options.equal_messages_are_one:
            return uuid4().hex
        whole = message.topic.encode() + b"\0" + bytes(message.payload)
        return "sha256:" + hashlib.sha256(whole).hexdigest()


CONNECTOR = SourceConnector(
    name="mqtt",
    options=MqttOptions,
    make=MqttSource,
    identity="a user property; without it each delivery is a message, or equal ones are one",
    boundary="the broker is sent PUBACK once the message and those before it are in the inbox",
    extra="mqtt",
)
