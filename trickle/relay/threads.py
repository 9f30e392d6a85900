"""Blocking work in a thread, for which whoever asked waits to its end, whatever happens.

A thread cannot be cancelled. If its caller went on, somebody would close, or write to, what the thread still uses; so a
caller that is cancelled asks the thread to stop, through an event that long work looks at, and waits for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


async def in_thread(work: Callable[[threading.Event], Answer]) -> Answer:
    """What `work` returns or raises. The event it is given is set when its caller does not want the answer any more."""
    stop = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # nobody else will ask
        raise
