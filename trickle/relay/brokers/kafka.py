"""How Kafka's client is configured, and what its errors mean.

librdkafka works in threads of its own: it connects, and connects again, by itself, and tells what happened when it is
polled. That is right for a producer that is idempotent, whose brokers put what is sent again in its place; what it
gives up comes out as an error.
"""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.options import option

log = logging.getLogger("trickle.relay.kafka")

_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConnection:
    """How Kafka is reached."""

    brokers: str = option("Brokers to begin with, separated by commas: a:9092,b:9092.")
    sasl_mechanism: str = option("How to authenticate; not at all if empty.", default="", choices=("", *_MECHANISMS))
    sasl_username: str = option("User name.", default="")
    sasl_password: str = option("Password.", default="", secret=True)
    tls_enabled: bool = option("Connect with TLS, as a certificate here does.", default=False)
    tls_ca_cert: str = option("Path of the authorities to trust, instead of the system's.", default="")
    tls_client_cert: str = option("Path of the client's certificate.", default="")
    tls_client_key: str = option("Path of the client's key.", default="")
    connect_timeout_seconds: float = option("How long connecting may take.", default=10.0, unit="s", minimum=0.1)
    timeout_seconds: float = option(
        "How long a message may take, with all attempts, or a request.", default=30.0, unit="s", minimum=1.0
    )


class Troubles:
    """What the client says about the connection, from its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        """The client's `error_cb`."""
        with self._lock:
            if self._last is None or gravity(error) > gravity(self._last):
                self._last = error

    def take(self) -> KafkaError | None:
        """The gravest since the last call."""
        with self._lock:
            last, self._last = self._last, None
            return last

    def look(self) -> KafkaError | None:
        with self._lock:
            return self._last


def settings(options: KafkaConnection, troubles: Troubles) -> dict[str, Any]:
    """What producer and consumer have in common."""
    milliseconds = int(options.timeout_seconds * 1000)
    has_tls = options.tls_enabled or bool(options.tls_ca_cert or options.tls_client_cert)
    made: dict[str, Any] = {
        "bootstrap.servers": options.brokers,
        "client.id": "trickle",
        "security.protocol": ("SASL_" if options.sasl_mechanism else "") + ("SSL" if has_tls else "PLAINTEXT"),
        "socket.timeout.ms": max(1000, milliseconds),
        "socket.connection.setup.timeout.ms": max(1000, int(options.connect_timeout_seconds * 1000)),
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2000,
        "error_cb": troubles,
        "logger": log,
        "log_level": 2,  # what is worth saying comes as an error, too, and only once
    }
    if options.sasl_mechanism:
        made |= {
            "sasl.mechanism": options.sasl_mechanism,
            "sasl.username": options.sasl_username,
            "sasl.password": options.sasl_password,
        }
    if has_tls:
        files = {
            "ssl.ca.location": options.tls_ca_cert,
            "ssl.certificate.location": options.tls_client_cert,
            "ssl.key.location": options.tls_client_key,
        }
        made |= {name: path for name, path in files.items() if path}
    return made


_KINDS = {
    KafkaError.MSG_SIZE_TOO_LARGE: FailureKind.TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE: FailureKind.TOO_LARGE,
    KafkaError.INVALID_MSG: FailureKind.REJECTED,
    KafkaError.INVALID_TIMESTAMP: FailureKind.REJECTED,
    KafkaError.INVALID_RECORD: FailureKind.REJECTED,
    KafkaError.POLICY_VIOLATION: FailureKind.REJECTED,
    KafkaError._BAD_MSG: FailureKind.REJECTED,
    KafkaError.UNKNOWN_TOPIC_OR_PART: FailureKind.DESTINATION,
    KafkaError._UNKNOWN_TOPIC: FailureKind.DESTINATION,
    KafkaError._UNKNOWN_PARTITION: FailureKind.DESTINATION,
    KafkaError.TOPIC_EXCEPTION: FailureKind.DESTINATION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: FailureKind.AUTHORIZATION,
    KafkaError.GROUP_AUTHORIZATION_FAILED: FailureKind.AUTHORIZATION,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: FailureKind.AUTHORIZATION,
    KafkaError._AUTHENTICATION: FailureKind.AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED: FailureKind.AUTHENTICATION,
    KafkaError.UNSUPPORTED_SASL_MECHANISM: FailureKind.AUTHENTICATION,
    KafkaError.ILLEGAL_SASL_STATE: FailureKind.AUTHENTICATION,
    KafkaError._SSL: FailureKind.TLS,
    KafkaError._INVALID_ARG: FailureKind.DESTINATION,  # a setting that cannot be
    KafkaError._MSG_TIMED_OUT: FailureKind.TIMEOUT,
    KafkaError._TIMED_OUT: FailureKind.TIMEOUT,
    KafkaError.REQUEST_TIMED_OUT: FailureKind.TIMEOUT,
    KafkaError._QUEUE_FULL: FailureKind.THROTTLED,
    KafkaError.THROTTLING_QUOTA_EXCEEDED: FailureKind.THROTTLED,
}


def kind_of(error: KafkaError) -> FailureKind:
    """What an error means. One that is not known here is not held against a message."""
    return _KINDS.get(error.code(), FailureKind.UNAVAILABLE)


def gravity(error: KafkaError) -> int:
    """How much an error says: one broker is away, all are, or something is wrong that does not pass."""
    if error.fatal() or not kind_of(error).passes:
        return 2
    return int(error.code() == KafkaError._ALL_BROKERS_DOWN)


def refusal(options: KafkaConnection, error: KafkaError | KafkaException) -> ConnectorError:
    """The error that says what the client said."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    return ConnectorError(kind_of(cause), f"Kafka {options.brokers}: {words(cause)}")


def words(error: KafkaError) -> str:
    """The error in words, no more than a line, without the names of the client's threads."""
    return re.sub(r"^\[thrd:[^\]]*\]: ", "", error.str() or error.name()).splitlines()[0][:300]


@lru_cache(maxsize=1024)
def may_be_topic(name: str) -> bool:
    """Whether Kafka lets a topic have this name."""
    return re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) is not None and name not in (".", "..")
