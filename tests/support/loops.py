"""Tests that are coroutines: each runs in a loop of its own, and none for ever."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec

Given = ParamSpec("Given")


def in_loop(test: Callable[Given, Awaitable[None]]) -> Callable[Given, None]:
    """Run a test in `asyncio.run`, for some minutes at most."""

    @functools.wraps(test)
    def run(*arguments: Given.args, **named: Given.kwargs) -> None:
        async def limited() -> None:
            async with asyncio.timeout(200):
                await test(*arguments, **named)

        asyncio.run(limited())

    return run
