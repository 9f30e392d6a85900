"""What may be set for a pipeline, whatever it connects: the options of one way and of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trickle.errors import ConfigurationError
from trickle.relay.formats import FORMATS
from trickle.relay.options import option
from trickle.relay.routing import Routing

DECODING = tuple(name for name, made in FORMATS.items() if made.decoder)


@dataclass(frozen=True, slots=True)
class Transform:
    """What happens to payloads. The filter comes first; both see the payload as it was published or received."""

    filter: str = option(
        "JMESPath: what it is not true for is dropped, and counts as delivered. Empty means nothing is.",
        default="",
        expression=True,
    )
    payload: str = option(
        "JMESPath: makes the payload that is told. Its numbers are doubles. Empty leaves the payload as it is.",
        default="",
        expression=True,
    )


@dataclass(frozen=True, slots=True)
class Retry:
    """What happens to a message that is refused, and how long to wait before anything is tried again."""

    max_attempts: int = option(
        "Attempts after which a message that is refused for its own sake is a dead letter. A destination that is away "
        "is waited for without end.",
        default=5,
        minimum=1,
        maximum=1000,
    )
    backoff_ms: int = option(
        "First wait; each is twice the one before.", default=100, unit="ms", minimum=1, maximum=600000
    )
    max_backoff_ms: int = option("Longest wait.", default=30000, unit="ms", minimum=1, maximum=3600000)

    def __post_init__(self) -> None:
        if self.max_backoff_ms < self.backoff_ms:
            raise ConfigurationError("max_backoff_ms is less than backoff_ms")


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """When a destination is left alone for a while."""

    failure_threshold: int = option("Failures in a row that open the circuit.", default=5, minimum=1, maximum=1000)
    half_open_seconds: float = option(
        "Time after which an open circuit lets a first batch through.",
        default=30.0,
        unit="s",
        minimum=0.1,
        maximum=3600,
    )


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How fast messages may go."""

    max_messages_per_second: float = option(
        "Average rate; 0 sets no limit.", default=0.0, minimum=0, maximum=10_000_000
    )
    burst: int = option(
        "Messages that may go at once; 0 means those of one second.", default=0, minimum=0, maximum=10_000_000
    )


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Messages that cannot be delivered."""

    enabled: bool = option("Whether they are set aside. If not, the first one holds the pipeline.", default=True)
    retention_days: int = option(
        "How long they are kept; 0 keeps them.", default=30, unit="d", minimum=0, maximum=36500
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """How messages of an outbox go to a sink."""

    batch_size: int = option("Messages that are read and sent together.", default=500, minimum=1, maximum=100_000)
    max_in_flight: int = option(
        "Messages that may be read and not yet delivered; one batch at least.",
        default=2000,
        minimum=1,
        maximum=1_000_000,
    )
    max_in_flight_bytes: int = option(
        "The same in bytes of payload; a single message may be larger.", default=16 * 2**20, unit="B", minimum=1
    )
    ordering: str = option(
        "What is delivered one after another: messages of one key, all, or none.",
        default="key",
        choices=("key", "all", "none"),
    )
    format: str = option("What a body holds.", default="native", choices=tuple(FORMATS))
    format_options: dict[str, Any] = option("Options of the format.", default={})
    transform: Transform = option("Filter and projection.", default=Transform())
    routing: Routing = option("Where each message goes.", default=Routing())
    headers: dict[str, str] = option("Headers that every message gets, beside its own.", default={}, template=True)
    key: str = option(
        "Key that orders messages and goes along with them, in place of the message's own; one that comes out empty is "
        "none.",
        default="",
        template=True,
    )
    retry: Retry = option("Attempts and waits.", default=Retry())
    circuit_breaker: CircuitBreaker = option("When the destination is left alone.", default=CircuitBreaker())
    rate_limit: RateLimit = option("How fast messages may go.", default=RateLimit())
    dead_letters: DeadLetters = option("What becomes of messages that are refused for good.", default=DeadLetters())


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Where a message from outside says what the inbox wants to know. A header counts more than an expression."""

    event_id_header: str = option("Header with the event id. The source's own counts without it.", default="")
    event_id: str = option("JMESPath on the payload: the event id.", default="", expression=True)
    event_type_header: str = option("Header with the event type.", default="")
    event_type: str = option("JMESPath on the payload: the event type.", default="", expression=True)
    key_header: str = option("Header with the key, which becomes the aggregate.", default="")
    key: str = option("JMESPath on the payload: the key.", default="", expression=True)


@dataclass(frozen=True, slots=True)
class Intake:
    """How messages of a source come into an inbox."""

    batch_size: int = option("Messages that are received and stored together.", default=500, minimum=1, maximum=100_000)
    max_in_flight_bytes: int = option(
        "Bytes of payload that may be received and not yet stored, by the size of the messages before; one at least.",
        default=16 * 2**20,
        unit="B",
        minimum=1,
    )
    format: str = option("What a body is: itself, or an envelope that is taken off.", default="raw", choices=DECODING)
    transform: Transform = option("Filter and projection.", default=Transform())
    mapping: FieldMapping = option("Where event id, event type and key stand.", default=FieldMapping())
    retry: Retry = option("Attempts and waits.", default=Retry())
    circuit_breaker: CircuitBreaker = option("When the source is left alone.", default=CircuitBreaker())
    dead_letters: DeadLetters = option("What becomes of messages that the inbox cannot take.", default=DeadLetters())
