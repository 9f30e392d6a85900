"""What the answer of a webhook's receiver says about the message: accepted, to be tried again, or refused. Pure.

2xx                       accepted
401, 403, 404, 410, 3xx   the configuration is wrong, or the receiver's is
408, 5xx                  tried again; 429, and 503 that names a time, not before then
413                       too large
any other                 this message is refused for good
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from trickle.relay.failures import Failure, FailureKind

_LONGEST_PAUSE_SECONDS = 3600.0

_KINDS = {
    401: FailureKind.AUTHENTICATION,
    403: FailureKind.AUTHORIZATION,
    404: FailureKind.DESTINATION,
    407: FailureKind.AUTHENTICATION,
    408: FailureKind.UNAVAILABLE,
    410: FailureKind.DESTINATION,
    413: FailureKind.TOO_LARGE,
    425: FailureKind.UNAVAILABLE,
    429: FailureKind.THROTTLED,
}


def failure_of(status: int, retry_after: str | None, now: Callable[[], datetime]) -> Failure | None:
    """None when the message was accepted. `retry_after` is the header: seconds, or a date."""
    if 200 <= status < 300:
        return None
    kind = _KINDS.get(status)
    if 300 <= status < 400:
        return Failure(
            FailureKind.DESTINATION, f"the answer is {status}: redirections are not followed, name their target"
        )
    pause = _pause_seconds(retry_after, now) if status in (429, 503) else None
    if status >= 500:
        kind = FailureKind.UNAVAILABLE if pause is None else FailureKind.THROTTLED
    return Failure(kind or FailureKind.REJECTED, f"the answer is {status}", pause)


def _pause_seconds(retry_after: str | None, now: Callable[[], datetime]) -> float | None:
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_PAUSE_SECONDS)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - now()).total_seconds(), 0.0), _LONGEST_PAUSE_SECONDS)
