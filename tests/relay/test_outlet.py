"""An outlet that is closed while it still connects, at any moment, with every sink that keeps something open.

They would catch: a lock that a relay keeps on a file which another is to write now, a connection that nobody closes.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from trickle.relay.outlet import Limits, Outlet
from trickle.relay.registry import Kind, find
from trickle.relay.sinks import file
from trickle.relay.sinks.file import FileOptions, FileSink
from trickle.relay.standing import Standing

URLS = {
    "mqtt": "mqtt://127.0.0.1:{}",
    "nats": "nats://127.0.0.1:{}",
    "postgres": "postgresql://u@127.0.0.1:{}/d",
    "rabbitmq": "amqp://127.0.0.1:{}",
    "redis": "redis://127.0.0.1:{}",
}
REST = {
    "mqtt": {"topic": "t"},
    "nats": {"subject": "s"},
    "postgres": {"inbox": "i"},
    "rabbitmq": {"routing_key": "r"},
    "redis": {"stream": "s"},
}


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that lets everybody in and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server.getsockname()[1]


@pytest.fixture
def without_collection() -> Iterator[None]:
    """What is only forgotten stays open."""
    gc.disable()
    yield
    gc.enable()


def outlet_to(make: Callable[[], Any]) -> Outlet:
    return Outlet("one", make, Limits(), asyncio.Event(), Standing())


def open_at(port: int) -> int:
    """How many connections this process has there."""
    connections = psutil.Process().net_connections("tcp")
    return sum(bool(one.raddr) and one.raddr.port == port and one.status == "ESTABLISHED" for one in connections)


@pytest.mark.usefixtures("without_collection")
@pytest.mark.parametrize("seconds", [0, 0.001, 0.1])
@pytest.mark.parametrize("name", sorted(URLS))
def test_no_connection_stays(name: str, seconds: float, silent: int) -> None:
    sink = find(Kind.SINK, name)
    options = sink.options(url=URLS[name].format(silent), **REST[name])

    async def run() -> None:
        outlet = outlet_to(lambda: sink.make(options))
        outlet.reconnect(0.0)
        await asyncio.sleep(seconds)
        assert not outlet.is_open
        await outlet.close()

    asyncio.run(run())
    assert open_at(silent) == 0


@pytest.mark.usefixtures("without_collection")
def test_no_file_stays_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.jsonl"
    locked = asyncio.Event()
    sync = os.fsync

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def slow_sync(descriptor: int) -> None:
            loop.call_soon_threadsafe(locked.set)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), loop).result()
            sync(descriptor)

        monkeypatch.setattr(file.os, "fsync", slow_sync)
        outlet = outlet_to(lambda: FileSink(FileOptions(path=str(path))))
        outlet.reconnect(0.0)
        await locked.wait()
        await outlet.close()
        successor = FileSink(FileOptions(path=str(path)))
        await successor.open()
        await successor.close()

    asyncio.run(run())
