"""What is done around every handler of a program: metrics, tracing, a connection that it needs.

    first registered ──▶ … ──▶ last registered ──▶ handler
          ◀── what it returns or raises goes back the same way ──┘

It runs within the attempt: what it takes counts against the job's time, and what it raises fails the attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from trickle.jobs.context import JobContext

Proceed = Callable[[], Awaitable[Any]]
Around = Callable[[JobContext, Proceed], Awaitable[Any]]


def wrapped(around: Sequence[Around], context: JobContext, call: Proceed) -> Proceed:
    """The call with everything around it."""
    for one in reversed(around):
        call = partial(one, context, call)
    return call


async def watched(proceed: Proceed, ended: Callable[[str], None]) -> Any:
    """What it returns; `ended` is told how it ended: completed, failed, or cancelled."""
    outcome = "failed"
    try:
        result = await proceed()
        outcome = "completed"
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    finally:
        ended(outcome)
    return result
