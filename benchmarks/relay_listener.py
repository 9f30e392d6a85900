"""Hear messages arrive at NATS and write down how old each is, in milliseconds: URL FILE."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import nats
from nats.aio.msg import Msg


async def main(url: str, path: Path) -> None:
    connection = await nats.connect(url)
    with path.open("a", encoding="ascii", buffering=1) as out:

        async def heard(message: Msg) -> None:
            told = json.loads(message.data)
            if "at" in told:
                out.write(f"{(time.time() - told['at']) * 1000:.3f}\n")

        await connection.subscribe("bench.>", cb=heard)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
