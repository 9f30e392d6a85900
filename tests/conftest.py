"""Fixtures for every test; `support` says what they are."""

import logging
import signal
from collections.abc import Iterator

import pytest

pytest_plugins = [
    "support.databases",
    "support.kafka_cluster",
    "support.mqtt",
    "support.nats_server",
    "support.pooler",
    "support.rabbitmq_server",
    "support.redis_server",
    "support.s3",
    "support.server",
]


def pytest_configure() -> None:
    """A shell that starts something in the background has it ignore SIGINT, and all that it starts: tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def usual_logging() -> Iterator[None]:
    """Who sets logging up, as the commands do, writes to a standard error that is gone after the test."""
    root = logging.getLogger()
    before, level = [*root.handlers], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
