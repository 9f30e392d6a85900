"""MQTT 5: messages are published to topics, and each is acknowledged by the broker (QoS 1, or 2).

The event id, the key and the headers of a message go along as user properties, its content type as what it is. All of a
call are published before the first answer is waited for; as nothing is ever sent again on another connection, they
arrive in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from trickle.relay.brokers.mqtt import MqttConnection, Presence, Session, kind_of
from trickle.relay.connector import SinkConnector
from trickle.relay.failures import Failure, FailureKind
from trickle.relay.headers import CONTENT_TYPE, EVENT_ID, outbound
from trickle.relay.message import Outgoing
from trickle.relay.options import option

_FIXED_BYTES = 64  # of a packet, beside topic, properties and body; rather too many
_LONGEST_TEXT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttOptions(MqttConnection):
    """What to publish where."""

    topic: str = option("Topic of messages without an address.", default="", template=True)
    qos: int = option("1: at least once; 2: once, for three packets more.", default=1, minimum=1, maximum=2)
    retain: bool = option("Whether the broker keeps the last message of each topic for new subscribers.", default=False)
    expiry_seconds: int = option(
        "After this time the broker forgets a message; 0: never.", default=0, unit="s", minimum=0
    )
    client_id: str = option("Our name at the broker; without one, another each time.", default="")
    timeout_seconds: float = option("For all answers of a batch.", default=30.0, unit="s", minimum=0.1)


class MqttSink:
    """One connection."""

    keeps_order = True

    def __init__(self, options: MqttOptions) -> None:
        self._options = options
        self._session = Session(options, Presence(options.client_id or f"trickle-{uuid4().hex}"))
        self._publishing = asyncio.Lock()  # one call after another, though their answers may mix

    async def open(self) -> None:
        await self._session.open()

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        self._session.check()
        failures: dict[int, Failure] = {}
        answers: dict[int, asyncio.Future[ReasonCode]] = {}
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                async with self._publishing:
                    for index, message in enumerate(messages):
                        fault = fault_of(self._topic(message), message, self._session.largest_packet)
                        if fault is None:
                            await self._session.slots.acquire()
                            answers[index] = self._publish(message)
                        else:
                            failures[index] = fault
                if answers:
                    await asyncio.wait(answers.values())
        except TimeoutError:
            raise self._session.give_up(FailureKind.TIMEOUT, "the broker does not acknowledge in time") from None
        return failures | _refusals(answers)

    async def close(self) -> None:
        await self._session.close()

    def _topic(self, message: Outgoing) -> str:
        return message.address or self._options.topic

    def _publish(self, message: Outgoing) -> asyncio.Future[ReasonCode]:
        """Without waiting for anything; the slot is free again when there is an answer, or will never be one."""
        properties = Properties(PacketTypes.PUBLISH)
        properties.ContentType = message.content_type
        properties.UserProperty = _user_properties(message)
        if self._options.expiry_seconds:
            properties.MessageExpiryInterval = self._options.expiry_seconds
        options = self._options
        answer = self._session.publish(self._topic(message), message.body, options.qos, options.retain, properties)
        answer.add_done_callback(lambda _: self._session.slots.release())
        return answer


def _refusals(answers: Mapping[int, asyncio.Future[ReasonCode]]) -> dict[int, Failure]:
    """What was not accepted, when all is said. Raises ConnectorError when the connection was lost before.

    There are brokers that refuse a message and hang up. Then the refusal has to be told, or the message would be sent
    again for ever; the others just have to be sent again.
    """
    lost = next((error for answer in answers.values() if (error := answer.exception()) is not None), None)
    refused = {
        index: Failure(kind_of(reason), f"the broker refuses it: {reason.getName()}")
        for index, answer in answers.items()
        if answer.exception() is None and (reason := answer.result()).is_failure
    }
    if lost is None:
        return refused
    if not refused:
        raise lost
    again = Failure(FailureKind.UNAVAILABLE, "the broker has refused another message and hung up")
    return {index: again for index, answer in answers.items() if answer.exception() is not None} | refused


def fault_of(topic: str, message: Outgoing, largest_packet: int) -> Failure | None:
    """Why this message cannot be a packet: the broker would hang up, and all others with it."""
    if not topic:
        return Failure(FailureKind.ENCODING, "there is no topic: the message has no address, and none is configured")
    if any(character in topic for character in "+#\0") or len(topic.encode()) > _LONGEST_TEXT:
        return Failure(FailureKind.ENCODING, "the address is no topic: it is too long, or has +, # or NUL in it")
    texts = [message.content_type, *(text for pair in _user_properties(message) for text in pair)]
    if any("\0" in text or len(text.encode()) > _LONGEST_TEXT for text in texts):
        return Failure(FailureKind.ENCODING, f"a header is longer than {_LONGEST_TEXT} bytes, or has NUL in it")
    size = _FIXED_BYTES + len(topic.encode()) + len(message.body) + sum(len(text.encode()) + 3 for text in texts)
    if size > largest_packet:
        return Failure(FailureKind.TOO_LARGE, f"about {size} bytes, and the broker takes {largest_packet}")
    return None


def _user_properties(message: Outgoing) -> list[tuple[str, str]]:
    headers = {**outbound(message), EVENT_ID: message.event_id}
    del headers[CONTENT_TYPE]  # which MQTT has a place for
    return list(headers.items())


CONNECTOR = SinkConnector(
    name="mqtt",
    options=MqttOptions,
    make=MqttSink,
    address="topic",
    identity="the user property Trickle-Event-Id",
    boundary="the broker has acknowledged it (PUBACK, or PUBCOMP with QoS 2)",
    extra="mqtt",
)
