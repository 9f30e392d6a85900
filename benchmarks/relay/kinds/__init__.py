"""The kinds of destinations and origins: a real server of each, how the relay is told of it, and the bare client."""

from __future__ import annotations

from benchmarks.relay.kinds import file, kafka, mqtt, nats, postgres, rabbitmq, redis, s3, webhook
from benchmarks.relay.kinds.kind import Kind

KINDS: dict[str, Kind] = {
    module.KIND.name: module.KIND for module in (nats, redis, kafka, rabbitmq, mqtt, webhook, postgres, file, s3)
}
