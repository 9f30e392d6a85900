"""How a runner that sleeps hears that somebody has enqueued.

Whoever enqueues shares the bell of the queue, an advisory lock, until the end of the transaction. A runner with nothing
to do holds the bell alone, in its other session; then it cannot be shared, and the commit notifies. While jobs flow
nobody notifies, and nobody ever waits.
"""

from __future__ import annotations

from collections.abc import Callable

from trickle.db.job_schema import SCHEMA, channel
from trickle.db.listener import Listener


class Doorbell:
    """Calls `rang` with every bell of a queue that rings, and with None when one may have been missed."""

    def __init__(self, url: str, rang: Callable[[int | None], None], schema: str = SCHEMA) -> None:
        self._rang = rang
        self._listener = Listener(url, "jobs_bell", (channel(schema),), self._heard)

    @property
    def is_heard(self) -> bool:
        return self._listener.is_open

    async def run(self) -> None:
        """Until cancelled."""
        await self._listener.run()

    def _heard(self, _: str, payload: str | None) -> None:
        self._rang(int(payload) if payload is not None and payload.isdecimal() else None)
