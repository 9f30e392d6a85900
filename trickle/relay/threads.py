"""Blocking work in another thread, for which whoever asked waits to its end, whatever happens.

A thread cannot be cancelled. If its caller went on, somebody would close, or write to, what the thread still uses; so a
caller that is cancelled asks the thread to stop, through an event that long work looks at, and waits for it.

The answer of such a thread is lost. So work that opens something answers nothing: it puts what it has opened where
`close` finds it.

The loop's own threads are few, and names are resolved in them: who waits for a pipe must not keep others from that.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from trickle.threads import in_background

Answer = TypeVar("Answer")


async def in_thread(work: Callable[[threading.Event], Answer]) -> Answer:
    """What `work` returns or raises. The event it is given is set when its caller does not want the answer any more."""
    stop = threading.Event()
    answer = _start(work, stop)
    try:
        return await asyncio.shield(answer)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({answer})
        answer.exception()  # nobody else will ask
        raise


def _start(work: Callable[[threading.Event], Answer], stop: threading.Event) -> asyncio.Future[Answer]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def run() -> None:
        try:
            found = work(stop)
        # It belongs to the caller, whatever it is.
        except BaseException as error:
            tell(answer.set_exception, error)
        else:
            tell(answer.set_result, found)

    def tell(what: Callable[..., None], about: object) -> None:
        with suppress(RuntimeError):  # the loop is closed, and with it whoever waited
            loop.call_soon_threadsafe(what, about)

    in_background(run)
    return answer
