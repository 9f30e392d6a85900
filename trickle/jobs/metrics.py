"""Metrics of a runner: put a `JobMetrics` around its handlers."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from trickle.jobs.around import Proceed, watched
from trickle.jobs.context import JobContext

_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)


class JobMetrics:
    """Counts attempts and how long they take, in a registry of prometheus_client."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        into = self.registry = registry if registry is not None else CollectorRegistry()
        self._attempts = Counter(
            "pg_trickle_job_attempts",
            "Attempts that ended: completed, failed, or cancelled.",
            ("queue", "outcome"),
            registry=into,
        )
        self._seconds = Histogram(
            "pg_trickle_job_duration_seconds", "How long an attempt took.", ("queue",), buckets=_BUCKETS, registry=into
        )
        self._active = Gauge("pg_trickle_jobs_active", "Attempts under way.", ("queue",), registry=into)

    async def __call__(self, context: JobContext, proceed: Proceed) -> Any:
        began = time.monotonic()

        def ended(outcome: str) -> None:
            self._active.labels(context.queue).dec()
            self._seconds.labels(context.queue).observe(time.monotonic() - began)
            self._attempts.labels(context.queue, outcome).inc()

        self._active.labels(context.queue).inc()
        return await watched(proceed, ended)
