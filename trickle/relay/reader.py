"""What one pipeline reads from its outbox, and when it looks again where there was nothing.

    read ──something──▶ read on, while there is room
     ▲  └──nothing──▶ look again after a pause that grows; with nothing in hand, arm the bell and look once more
     └──────────────────────── it rings ◀── asleep ◀──nothing──┘

It reads no further than the limits of messages and bytes, whatever waits in the outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from trickle.relay.bells import Bells, Listener
from trickle.relay.delivery import Delivery
from trickle.relay.outbox import Outbox, Read
from trickle.relay.outlet import Limits

_FIRST_LOOK_SECONDS = 0.002
_LONGEST_LOOK_SECONDS = 0.25


class Reader:
    """Moments are monotonic seconds; `wake` is set when something has been read."""

    def __init__(self, outbox: Outbox, limits: Limits, bells: Bells, wake: asyncio.Event) -> None:
        self._outbox = outbox
        self._limits = limits
        self._bells = bells
        self._wake = wake
        self._reading: asyncio.Task[Sequence[Read]] | None = None
        self._is_asleep = False
        self._look_at = 0.0
        self._look_pause = _FIRST_LOOK_SECONDS
        self.is_exhausted = False  # the last look found nothing

    def taken(self, now: float) -> Sequence[Read]:
        """What has been read since the last time, in order. Raises what reading raised."""
        if self._reading is None or not self._reading.done():
            return ()
        reading, self._reading = self._reading, None
        reads = reading.result()
        self.is_exhausted = not reads
        if reads:
            self._look_pause = _FIRST_LOOK_SECONDS
        else:
            self._look_at = now + self._look_pause
            self._look_pause = min(_LONGEST_LOOK_SECONDS, self._look_pause * 2)
        return reads

    async def go_on(self, listener: Listener, delivery: Delivery, now: float) -> None:
        """Fall asleep with nothing to do, or read on when it is time and there is room beside what is in hand."""
        await self._fall_asleep(listener, delivery)
        if self._is_asleep and listener.seen is None:
            self._is_asleep = self.is_exhausted = False
        room = self._limits.max_in_flight - len(delivery)
        bytes_left = self._limits.max_in_flight_bytes - delivery.size
        # In large pieces: half of what may be in hand is worked off while the other half is read.
        piece = max(1, self._limits.max_in_flight // 2)
        is_time = not self.is_exhausted or (not self._is_asleep and now >= self._look_at)
        if self._reading is None and is_time and room >= piece and bytes_left > 0:
            self._reading = asyncio.create_task(self._outbox.read(piece, bytes_left))
            self._reading.add_done_callback(lambda _: self._wake.set())

    def next_look(self) -> float | None:
        """When to look again though nothing happens; None while something is read, or while the bell would ring."""
        return self._look_at if self._reading is None and self.is_exhausted and not self._is_asleep else None

    async def give_up(self) -> None:
        """Forget what is being read; the next reading begins at the place that is stored."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None
        self.is_exhausted = self._is_asleep = False

    async def _fall_asleep(self, listener: Listener, delivery: Delivery) -> None:
        """Arm the bell, and look once more for what was published before it was armed."""
        is_idle = not delivery and self._reading is None and self.is_exhausted
        if is_idle and not self._is_asleep and await self._bells.arm(listener):
            listener.seen = self._outbox.seen
            self._is_asleep = True
            self.is_exhausted = False
