"""How far an origin that knows offsets only has been read, and which of it is in hand. Pure.

taken      3  4  7  8      (offsets may have gaps)
done          4     8
to commit  3               everything before it is done; with 3 and 7 done it is 9
"""

from __future__ import annotations


class Position:
    """One partition, from where it was assigned to us until it is taken away."""

    def __init__(self) -> None:
        self._in_hand: dict[int, None] = {}  # in the order of the offsets
        self._next = -1
        self._committed = -1

    def take(self, offset: int) -> None:
        self._in_hand[offset] = None
        self._next = offset + 1

    def acknowledge(self, offset: int) -> None:
        self._in_hand.pop(offset, None)

    def holds(self, offset: int) -> bool:
        return offset in self._in_hand

    def to_commit(self) -> int | None:
        """The offset before which everything is done, if it has moved."""
        done = next(iter(self._in_hand), self._next)
        return done if done > self._committed else None

    def committed(self, offset: int) -> None:
        self._committed = max(self._committed, offset)
