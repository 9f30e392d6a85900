"""raw: the payload as it was published, with its content type. Who it is from is in headers and address alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trickle.relay.formats.format import Decode, Encode, Encoded, Format
from trickle.relay.message import Incoming, Message
from trickle.relay.view import Surroundings, View


@dataclass(frozen=True, slots=True)
class RawOptions:
    """There is nothing to choose."""


def encoder(options: RawOptions, around: Surroundings) -> Encode:
    return _encode


def decoder() -> Decode:
    return _decode


def _encode(view: View, message: Message, address: str) -> Sequence[Encoded]:
    return (Encoded(message.event_id, message.key, message.payload, message.content_type, message.headers),)


def _decode(message: Incoming) -> Incoming:
    return message


FORMAT = Format("raw", RawOptions, encoder, decoder)
