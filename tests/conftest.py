"""Fixtures for every test; `support` says what they are."""

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
