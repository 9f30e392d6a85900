"""Messages that no attempt will deliver: set aside as dead letters, or, where that is switched off, waited for.

refused for good ──▶ waiting ──▶ dead letter, safe before the checkpoint passes it
                        └─switched off─▶ nothing is read and nothing is sent; now and then it is tried again
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable

from trickle.clock import backoff_seconds
from trickle.logs import event
from trickle.relay.delivery import Delivery
from trickle.relay.items import Burial
from trickle.relay.letters import DeadLetters
from trickle.relay.outlet import Limits
from trickle.relay.standing import Standing, State

log = logging.getLogger(__name__)


class Burials:
    """Those of one pipeline that are not safe yet; true while there are any. Moments are monotonic seconds."""

    def __init__(self, name: str, letters: DeadLetters, limits: Limits, standing: Standing) -> None:
        self._name = name
        self._letters = letters
        self._limits = limits
        self._standing = standing
        self._waiting: list[Burial] = []
        self._holds = 0  # in a row
        self._held_until = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, burials: Iterable[Burial]) -> None:
        self._waiting.extend(burials)

    async def settle(self, delivery: Delivery, now: float) -> None:
        """Set them aside if that may be, else hold everything for them."""
        if self._waiting and self._limits.buries:
            await self._bury(delivery)
        elif self._waiting:
            self._hold(delivery, now)

    def passed(self) -> None:
        """The place has moved on: the next one that holds the pipeline is the first in a row."""
        self._holds = 0

    def next_moment(self) -> float | None:
        """When they are tried again; None: only somebody else can mend what is wrong with them."""
        is_hopeless = not self._limits.buries and all(burial.item.outgoing is None for burial in self._waiting)
        return None if is_hopeless else self._held_until

    def forget(self) -> None:
        """They are read again."""
        self._waiting.clear()
        self._holds, self._held_until = 0, 0.0

    async def _bury(self, delivery: Delivery) -> None:
        burials, self._waiting = self._waiting, []
        await self._letters.bury(burials)
        self._standing.buried += len(burials)
        delivery.buried([burial.item for burial in burials])
        for burial in burials:
            event(
                log,
                logging.WARNING,
                "a message is set aside",
                pipeline=self._name,
                event_id=burial.item.event_id,
                kind=burial.failure.kind.value,
                reason=burial.failure.reason,
            )

    def _hold(self, delivery: Delivery, now: float) -> None:
        failure = self._waiting[0].failure
        reason = f"{failure.kind.value}: {failure.reason}; dead letters are switched off"
        if self._standing.turn(State.HELD, reason):
            event(log, logging.WARNING, "a pipeline is held by a message", pipeline=self._name, why=reason)
        if self._held_until == 0.0:
            self._holds += 1
            retry = self._limits.retry
            self._held_until = now + backoff_seconds(
                self._holds, base=retry.backoff_seconds, cap=retry.max_backoff_seconds, draw=random.random()
            )
        elif now >= self._held_until:
            self._held_until = 0.0
            # What could not be encoded will not be next time.
            again = [burial.item for burial in self._waiting if burial.item.outgoing is not None]
            self._waiting = [burial for burial in self._waiting if burial.item.outgoing is None]
            delivery.again(again, now)
