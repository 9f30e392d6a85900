"""Fixtures for every test; `support` says what they are."""

import signal

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
