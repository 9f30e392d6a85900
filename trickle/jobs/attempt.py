"""One attempt: a handler is called, and whatever it does becomes an outcome.

    returns ──▶ completed
    raises, or takes too long ──▶ failed
    GiveUp, or a payload or result that does not fit ──▶ failed for good

Cancelling the attempt is the runner's business, and passes through.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from trickle.jobs.around import Around, wrapped
from trickle.jobs.context import GiveUp, JobContext
from trickle.jobs.payload import PayloadError, decoded, encoded
from trickle.jobs.protocol import Lease, Outcome
from trickle.jobs.registry import Handler
from trickle.logs import event
from trickle.threads import in_background

log = logging.getLogger(__name__)

_LONGEST_ERROR = 2000  # characters


class Threads:
    """The threads of handlers that are not coroutines: how many go on though nobody waits for them any more."""

    def __init__(self) -> None:
        self.abandoned = 0

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function returns. Daemon threads: one that never ends does not keep the process from ending."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        is_over = given_up = False

        def settle(result: Any, error: BaseException | None) -> None:
            nonlocal is_over
            is_over = True
            if given_up:
                self.abandoned -= 1
            elif not ended.done():
                ended.set_result((result, error))

        def work() -> None:
            try:
                result, error = function(*arguments), None
            except BaseException as raised:
                result, error = None, raised
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:
                return  # the loop has ended before it

        in_background(work)
        try:
            result, error = await ended
        except asyncio.CancelledError:
            if not is_over:
                given_up = True
                self.abandoned += 1
            raise
        if error is not None:
            raise error
        return result


async def perform(
    handler: Handler, lease: Lease, context: JobContext, threads: Threads, around: Sequence[Around] = ()
) -> Outcome:
    """Call the handler, and what is around it; its outcome."""
    limit = asyncio.timeout(lease.expire_seconds)

    async def call() -> Any:
        payload = decoded(lease.data, handler.payload)
        arguments = (payload, context) if handler.wants_context else (payload,)
        if handler.is_coroutine:
            return await handler.call(*arguments)
        return await threads.run(handler.call, *arguments)

    try:
        async with limit:
            result = await wrapped(around, context, call)()
        return Outcome(lease, encoded(result))
    except (GiveUp, PayloadError) as error:
        return failed(lease, error, is_final=True)
    except TimeoutError as error:
        if limit.expired():
            context.cancel()
            return failed(lease, TimeoutError(f"it took longer than {lease.expire_seconds:g} s"))
        return failed(lease, error)
    except (Exception, SystemExit) as error:
        return failed(lease, error)


def failed(lease: Lease, error: BaseException, *, is_final: bool = False) -> Outcome:
    """The outcome of an attempt that ended with an error, of which type and text are kept."""
    text = str(error).replace("\0", "").encode("utf-8", "replace").decode()[:_LONGEST_ERROR]
    event(
        log,
        logging.WARNING,
        "a job failed",
        queue=lease.queue,
        job=lease.id,
        attempt=f"{lease.attempt}/{lease.attempts}",
        error=f"{type(error).__name__}: {text}",
    )
    output = encoded({"error": text, "type": type(error).__name__})
    return Outcome(lease, output, has_failed=True, is_final=is_final)
