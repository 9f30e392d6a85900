"""What the jobs of the benchmark `tenants` do: nothing."""

from __future__ import annotations

import trickle


@trickle.job("q")
async def nothing(_: object) -> None:
    return None
