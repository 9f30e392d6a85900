"""The handler of the example: places an order in the database of its tenant."""

from __future__ import annotations

import random
from typing import Any

import trickle
from trickle import tenants


@trickle.job("place_order")
async def place_order(payload: dict[str, Any], context: trickle.JobContext) -> None:
    order = (random.randint(1, 9), random.randint(1, 500))
    async with tenants.here().connection() as conn:
        await conn.execute("INSERT INTO orders (customer_id, amount) VALUES (%s, %s)", order)
