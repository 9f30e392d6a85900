"""What went wrong with a message or a destination, in words that decide what happens next.

Failure of one message      passing ──▶ tried again, its key waits      lasting ──▶ dead letter, its key goes on
ConnectorError of them all  passing ──▶ tried again with all its messages, connection opened anew
                            lasting ──▶ the pipeline is held until the destination or its configuration is mended
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trickle.errors import TrickleError


class FailureKind(StrEnum):
    """Why; the words appear in metrics, dead letters and `trickle relay status`."""

    UNAVAILABLE = "unavailable"  # refused, cut off, starting, shutting down
    TIMEOUT = "timeout"  # no answer in time: it may have been accepted
    THROTTLED = "throttled"  # accepted later, when asked less
    AUTHENTICATION = "authentication"
    AUTHORIZATION = "authorization"
    TLS = "tls_verification"
    DESTINATION = "invalid_destination"  # no such topic, stream, queue, table, bucket
    TOO_LARGE = "message_too_large"
    REJECTED = "protocol_rejection"  # the destination read it and will never take it
    ENCODING = "encoding"  # the message cannot be brought into the format, or the transform fails on it

    @property
    def passes(self) -> bool:
        """Whether the same attempt may succeed later without anybody doing anything."""
        return self in _PASSING

    @property
    def is_of_destination(self) -> bool:
        """Whether every message would fail alike: then none of them is to blame, and none is dead-lettered."""
        return self not in (FailureKind.TOO_LARGE, FailureKind.REJECTED, FailureKind.ENCODING)


_PASSING = frozenset({FailureKind.UNAVAILABLE, FailureKind.TIMEOUT, FailureKind.THROTTLED})


@dataclass(frozen=True, slots=True)
class Failure:
    """One message was not accepted."""

    kind: FailureKind
    reason: str  # one sentence without secrets or payload
    retry_after: float | None = None  # seconds, when the destination named them


class ConnectorError(TrickleError):
    """Nothing more can be sent or received on this connection; whatever was not acknowledged is sent again."""

    code = "T310"

    def __init__(self, kind: FailureKind, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.failure = Failure(kind, message, retry_after)
