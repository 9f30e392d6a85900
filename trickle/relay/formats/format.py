"""What a format is, and what the formats share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Generic, TypeVar

from trickle.relay.message import Incoming, Message, Outgoing
from trickle.relay.view import Surroundings, View

Options = TypeVar("Options")

# What templates see is the message as it was published; what is encoded may have another payload, key and headers.
# The text is the address.
Encode = Callable[[View, Message, str], Sequence[Outgoing]]
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


def moment(at: datetime) -> str:
    """A time as RFC 3339 wants it, in UTC. Messages come by the thousand in one second, which is written once."""
    return f"{_to_the_second(int(at.timestamp()))}.{at.microsecond:06d}Z"


@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
