"""What a format is, and what the formats share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Generic, NamedTuple, TypeVar

from trickle.relay.message import Incoming, Message
from trickle.relay.view import Surroundings, View


class Encoded(NamedTuple):
    """One event as it goes out, but for its address."""

    event_id: str
    key: str | None
    body: bytes
    content_type: str
    headers: Mapping[str, str]


Options = TypeVar("Options")

# What templates see is the message as it was published; what is encoded may have another payload.
Encode = Callable[[View, Message, str], Sequence[Encoded]]
Decode = Callable[[Incoming], Incoming]


@dataclass(frozen=True, slots=True)
class Format(Generic[Options]):
    """How bodies are written, and read where that is possible; both raise Unusable."""

    name: str
    options: type[Options]
    encoder: Callable[[Options, Surroundings], Encode]
    decoder: Callable[[], Decode] | None = None


JSON = "application/json"

quoted: Callable[[str], str] = encode_basestring_ascii
"""A text as a JSON string, in ASCII."""
