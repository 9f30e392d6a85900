"""What a destination and an origin of messages must be able to do; a connector is one file that does it.

A sink:

- `send` is called with messages in order and returns when each is accepted durably or refused. Several calls may be
  under way at once, begun in order. While they are, one message of a key may follow another only if `keeps_order`;
  then the sink promises that what arrives does so in the order of the calls, up to what a lost connection cut off.
- What fails for one message is in the answer, by its index. What fails for all is raised as `ConnectorError`; the
  caller closes the sink, opens a new one, and sends again whatever has no answer.

A source:

- `receive` waits for at most so many messages and so long, and returns what there is, perhaps nothing.
- `acknowledge` is called after the inbox has them for good; `release` when they could not be taken: the origin is to
  deliver them again. A source that is closed or dies releases what is not acknowledged.

Both are opened and closed by their caller, in one event loop. Blocking clients work in threads of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from trickle.relay.failures import Failure
from trickle.relay.message import Incoming, Outgoing

NO_FAILURES: Mapping[int, Failure] = {}


class Sink(Protocol):
    """A destination."""

    keeps_order: bool

    async def open(self) -> None:
        """Connect and authenticate, without sending anything. Raises ConnectorError."""

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        """Deliver; the failures by index, none for what was accepted. Raises ConnectorError."""

    async def close(self) -> None:
        """Let go of everything; never raises, and may be called in any state."""


class Source(Protocol):
    """An origin."""

    async def open(self) -> None:
        """Connect and authenticate, without taking anything. Raises ConnectorError."""

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        """The next messages. Raises ConnectorError."""

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        """These are in the inbox. Raises ConnectorError: then they come again, and are recognised."""

    async def release(self, messages: Sequence[Incoming]) -> None:
        """These could not be taken; let them come again. Raises ConnectorError."""

    async def close(self) -> None:
        """Let go of everything; never raises, and may be called in any state."""


Options = TypeVar("Options")


@dataclass(frozen=True, slots=True)
class SinkConnector(Generic[Options]):
    """How a kind of destination is configured and made; each sink's file has one, named CONNECTOR."""

    name: str  # the `type` in the configuration
    options: type[Options]  # a dataclass made of `options.option` fields
    make: Callable[[Options], Sink]
    address: str  # what an address is here, in words: "subject", "topic", …; the one option that is a template has it
    identity: str  # by what the destination can recognise a message that comes again
    boundary: str  # what must have happened before a message counts as delivered
    extra: str | None = None  # the extra of the package that brings the client library


@dataclass(frozen=True, slots=True)
class SourceConnector(Generic[Options]):
    """How a kind of origin is configured and made; each source's file has one, named CONNECTOR."""

    name: str
    options: type[Options]
    make: Callable[[Options], Source]
    identity: str  # what becomes the event id
    boundary: str  # when the origin learns that it may forget a message
    extra: str | None = None


AnyConnector = SinkConnector[Any] | SourceConnector[Any]
