"""librdkafka's mock of a Kafka cluster, in a process of its own, which can be killed.

It speaks the protocol to real clients, with groups and idempotent producers; it keeps nothing on disk, knows no users,
and makes every topic that is asked for.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from support.brokers import missing
from support.frozen import freeze

_SERVE = """
import sys
from confluent_kafka import Producer
producer = Producer({"test.mock.num.brokers": 2, "bootstrap.servers": "mock"})
brokers = producer.list_topics(timeout=20).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in brokers), flush=True)
sys.stdin.read()
"""


@dataclass(slots=True)
class Cluster:
    """Where its brokers listen."""

    brokers: str
    _process: subprocess.Popen[str]

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and says nothing."""
        freeze(self._process.pid)

    def resume(self) -> None:
        """SIGCONT: it reads what was sent to it meanwhile."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _start() -> Cluster:
    # Its input ends with the tests, and then it does.
    process = subprocess.Popen([sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    brokers = process.stdout.readline().strip()
    if not brokers:
        missing("the mock of Kafka", "install the Python package confluent-kafka")
    return Cluster(brokers, process)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Cluster]:
    """A cluster for all tests that do it no harm; each uses topics of its own."""
    cluster = _start()
    yield cluster
    cluster.kill()


@pytest.fixture
def start_kafka() -> Iterator[Callable[[], Cluster]]:
    """Clusters of one test's own."""
    started: list[Cluster] = []

    def start() -> Cluster:
        started.append(_start())
        return started[-1]

    yield start
    for cluster in started:
        cluster.kill()
