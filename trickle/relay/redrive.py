"""Dead letters that somebody asked for again, beside the messages that flow, and the end of those nobody wants.

A letter is encoded anew, so it goes as a transform, a template or a destination that was mended since lets it go. One
after the other, since they may be of one key.
"""

from __future__ import annotations

from collections.abc import Sequence

from trickle.relay.bells import Listener
from trickle.relay.failures import Failure, FailureKind
from trickle.relay.letters import DeadLetters, Letter
from trickle.relay.outgoing import Prepare
from trickle.relay.outlet import Limits, Outlet
from trickle.relay.standing import Standing

_EXPIRE_SECONDS = 3600.0
_LETTERS_SECONDS = 1.0  # before they are tried again when the destination asked for them to come later


class Redrive:
    """Those of one pipeline. Moments are monotonic seconds."""

    def __init__(
        self, letters: DeadLetters, prepare: Prepare, outlet: Outlet, limits: Limits, standing: Standing
    ) -> None:
        self._letters = letters
        self._prepare = prepare
        self._outlet = outlet
        self._limits = limits
        self._standing = standing
        self._try_at = 0.0
        self._expire_at = 0.0

    async def go_on(self, listener: Listener, now: float) -> Exception | None:
        """Do what is due; the error with which the connection was lost meanwhile."""
        if now >= self._expire_at:
            self._expire_at = now + _EXPIRE_SECONDS
            await self._letters.expire(self._limits.keep_letters_days)
        if not self._outlet.is_open or not listener.has_letters or now < self._try_at:
            return None
        listener.has_letters = False  # before the look, so that what is asked for meanwhile is looked for again
        letters = await self._letters.asked_for()
        if not letters:
            return None
        listener.has_letters = True  # there may be more of them
        return await self._deliver(letters, now)

    def next_moment(self, listener: Listener) -> float | None:
        """When there is something to do though nothing happens."""
        return self._try_at if listener.has_letters and self._outlet.is_open else None

    async def _deliver(self, letters: Sequence[Letter], now: float) -> Exception | None:
        delivered: list[int] = []
        refused: list[tuple[int, Failure]] = []
        lost: Exception | None = None
        try:
            for letter in letters:
                failure = await self._outcome(letter)
                if failure is None:
                    delivered.append(letter.letter_id)
                elif failure.kind is FailureKind.THROTTLED:
                    self._try_at = now + max(_LETTERS_SECONDS, failure.retry_after or 0.0)
                    break
                else:
                    refused.append((letter.letter_id, failure))
        except Exception as error:
            # Other messages go first now: a letter that breaks every connection must not keep them waiting.
            self._try_at = now + self._limits.half_open_seconds
            lost = error
        if refused:
            await self._letters.refused(refused)
        if delivered:
            await self._letters.delivered(delivered)
            self._standing.redriven += len(delivered)
        return lost

    async def _outcome(self, letter: Letter) -> Failure | None:
        parts = self._prepare(letter.message)
        if isinstance(parts, Failure):
            return parts
        wanted = [part for part in parts if part.event_id == letter.event_id] or parts
        failures = await self._outlet.deliver_now(wanted) if wanted else {}
        return next(iter(failures.values()), None)
