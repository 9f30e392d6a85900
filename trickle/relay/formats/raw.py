"""raw: the payload as it was published, with its content type. Who it is from is in headers and address alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trickle.relay.formats.format import Decode, Encode, Format
from trickle.relay.message import Incoming, Message, Outgoing
from trickle.relay.view import Surroundings, View


@dataclass(frozen=True, slots=True)
class RawOptions:
    """There is nothing to choose."""


def encoder(options: RawOptions, around: Surroundings) -> Encode:
    return _encode


def decoder() -> Decode:
    return _decode


def _encode(view: View, message: Message, address: str) -> Sequence[Outgoing]:
    return (
        Outgoing(
            message.event_id,
            message.key,
            address,
            message.payload,
            message.content_type,
            message.headers,
            message.created_at,
            message.outbox_id,
        ),
    )


def _decode(message: Incoming) -> Incoming:
    return message


FORMAT = Format("raw", RawOptions, encoder, decoder)
