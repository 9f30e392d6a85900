"""Files of JSON lines. A line counts when it is on the disk, for the bare loop too."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from benchmarks.relay.kinds.kind import Acknowledge, Kind, Message, Options, Reach, Send, Take


@contextmanager
def serve(folder: Path) -> Iterator[Reach]:
    yield {"folder": str(folder)}


def sink(reach: Reach, number: int) -> Options:
    return {"type": "file", "path": f"{reach['folder']}/out-{number}.jsonl"}  # a file has one writer


async def sender(reach: Reach) -> Send:
    return _append(Path(reach["folder"]) / "bare.jsonl")


def _append(path: Path) -> Send:
    async def send(batch: Sequence[Message]) -> None:
        with path.open("ab") as out:
            out.writelines(body.replace(b"\n", b" ") + b"\n" for _, body in batch)
            out.flush()
            os.fsync(out.fileno())

    return send


def heard(reach: Reach, token: str) -> Options:
    return {"type": "file", "path": str(_path(reach, token))}


def _path(reach: Reach, token: str) -> Path:
    return Path(reach["folder"]) / f"{token.partition('-')[0]}.jsonl"


def source(reach: Reach, token: str) -> Options:
    path = _path(reach, token)
    return {"type": "file", "path": str(path), "offset_path": f"{path}.{token}.offset", "poll_seconds": 0.01}


async def taker(reach: Reach, token: str) -> Take:
    lines = _path(reach, token).open("rb")
    place = Path(f"{lines.name}.{token}.offset")
    taken = 0  # bytes

    async def take(limit: int) -> tuple[Sequence[Message], Acknowledge]:
        nonlocal taken
        found = list(islice(lines, limit))
        taken += sum(map(len, found))
        if not found:
            await asyncio.sleep(0.01)

        async def acknowledge() -> None:
            made = place.with_suffix(".new")
            with made.open("w", encoding="ascii") as out:
                out.write(str(taken))
                out.flush()
                os.fsync(out.fileno())
            made.rename(place)

        return [(hashlib.sha256(line).hexdigest(), line) for line in found], acknowledge

    return take


async def feeder(reach: Reach, tokens: Sequence[str]) -> Send:
    return _append(_path(reach, tokens[0]))


async def prepare(reach: Reach, tokens: Sequence[str]) -> None:
    _path(reach, tokens[0]).touch()


KIND = Kind(
    name="file",
    serve=serve,
    sink=sink,
    sender=sender,
    heard=heard,
    source=source,
    taker=taker,
    feeder=feeder,
    prepare=prepare,
)
