"""Which message of its stream a delivery is, and what has to come before anything newer.

others had in hand:  3 4 5 ── the server waits for their answers ──▶ sent again to us ─┐
never sent so far:         6 7 ── sent to us at once, and held back ───────────────────┴──▶ 3 4 5 6 7
"""

from __future__ import annotations

from enum import Enum


def place_of(reply: str) -> tuple[str, int]:
    """Stream and sequence from where a message is to be acknowledged.

    $JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.…, in newer servers with domain and account before the stream.

    >>> place_of("$JS.ACK.orders.c.1.42.7.1700000000.0")
    ('orders', 42)
    >>> place_of("$JS.ACK._.hash.orders.c.1.42.7.1700000000.0.token")
    ('orders', 42)
    """
    words = reply.split(".")
    skip = 2 if len(words) == 9 else 4
    return words[skip], int(words[skip + 3])


class Turn(Enum):
    """What is next for one who comes to a consumer."""

    LET_EXPIRE = "others may have asked for messages: those would be theirs"
    TAKE = "take without giving out"
    GIVE_OUT = "nothing older is in other hands"


class Gathering:
    """From the moment we come to a consumer until nothing is in other hands that should come first. Holds no clock.

    Whoever was there before may not know for `notice_seconds` that it has lost its claim; it may have asked for
    messages, for `expiry_seconds` at most; and it holds deliveries for the consumer's ack wait. What has not come after
    that and `grace_seconds`, for the server to notice, does not come: the others answer for it, or the server has given
    it up.

    >>> coming = Gathering(now=0.0, notice_seconds=0.5, expiry_seconds=1.0, ack_wait=30.0, grace_seconds=5.0)
    >>> coming.turn(requests=1, last=4, floor=2, unanswered=2, held=0, now=0.1).name
    'LET_EXPIRE'
    >>> coming.turn(requests=0, last=5, floor=2, unanswered=3, held=0, now=0.9).name
    'TAKE'
    >>> coming.is_late(5), coming.is_late(6)
    (True, False)
    >>> coming.turn(requests=1, last=8, floor=2, unanswered=6, held=6, now=29.0).name
    'GIVE_OUT'
    """

    def __init__(
        self, *, now: float, notice_seconds: float, expiry_seconds: float, ack_wait: float, grace_seconds: float
    ) -> None:
        self._noticed_by = now + notice_seconds
        self._alone_by = self._noticed_by + expiry_seconds
        self._patience = ack_wait + grace_seconds
        self._last: int | None = None  # of what was delivered before we were alone
        self._until = 0.0

    def turn(self, *, requests: int, last: int, floor: int, unanswered: int, held: int, now: float) -> Turn:
        """What the server says: open requests, the last delivery, up to where all are answered, and how many are not.

        `held` of these are ours.
        """
        if self._last is None:
            if now < self._noticed_by or (requests and now < self._alone_by):
                return Turn.LET_EXPIRE
            self._last, self._until = last, now + self._patience
        is_over = floor >= self._last or unanswered <= held or now >= self._until
        return Turn.GIVE_OUT if is_over else Turn.TAKE

    def is_late(self, number: int) -> bool:
        """Whether it was in other hands before."""
        return self._last is not None and number <= self._last
