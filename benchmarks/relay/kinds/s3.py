"""A store of objects: moto's, in a process of its own. One object for each batch, compressed."""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.relay.kinds.kind import Kind, Message, Options, Reach, Send
from benchmarks.serving import await_port, free_port, serving

_BUCKET = "bench"
_ACCESS = "bench"


@contextmanager
def serve(folder: Path) -> Iterator[Reach]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with serving(command, folder) as server:
        await_port(port, server)
        reach = {"url": f"http://127.0.0.1:{port}"}
        _client(reach).create_bucket(Bucket=_BUCKET)
        yield reach


def _client(reach: Reach) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=reach["url"],
        region_name="us-east-1",
        aws_access_key_id=_ACCESS,
        aws_secret_access_key=os.environ["BENCH_S3_SECRET"],
    )


def sink(reach: Reach, _: int) -> Options:
    known = {"access_key_id": _ACCESS, "secret_access_key": "${env:BENCH_S3_SECRET}", "path_style": True}
    return {"type": "s3", "bucket": _BUCKET, "endpoint_url": reach["url"], **known}


async def sender(reach: Reach) -> Send:
    client = _client(reach)

    def put(batch: Sequence[Message]) -> None:
        lines = b"".join(body.replace(b"\n", b" ") + b"\n" for _, body in batch)
        client.put_object(Bucket=_BUCKET, Key=f"bare/{time.time_ns()}.jsonl.gz", Body=gzip.compress(lines))

    async def send(batch: Sequence[Message]) -> None:
        await asyncio.to_thread(put, batch)

    return send


KIND = Kind(name="s3", serve=serve, sink=sink, sender=sender)
