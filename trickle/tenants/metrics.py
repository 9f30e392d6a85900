"""Metrics of a supervisor. How their names begin is the operator's choice: with `rcm`, dashboards of `rcm_…` work."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from trickle.errors import ConfigurationError
from trickle.tenants.places import Why

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_SCAN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PROMOTIONS = (Why.ENQUEUE, Why.COLD_DISPATCH, Why.FANOUT, Why.MANUAL)
DEMOTIONS = (Why.IDLE, Why.EVICTION, Why.SHUTDOWN, Why.ERROR)


class SupervisorMetrics:
    """The families of one supervisor. None has a label for a tenant, so there are as many with ten thousand of them."""

    def __init__(self, namespace: str = "pg_trickle", registry: CollectorRegistry | None = None) -> None:
        into = self.registry = registry if registry is not None else CollectorRegistry()

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"{namespace}_{name}", text, registry=into)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{namespace}_{name}", text, labels, registry=into)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"{namespace}_{name}", text, buckets=buckets, registry=into)

        try:
            self.hot_tenants = gauge(
                "supervisor_hot_tenants", "Tenants that are hot, or on their way to or from there."
            )
            self.hot_pool_max = gauge("supervisor_hot_pool_max", "How many can be.")
            self.tenants = gauge("supervisor_tenants", "Tenants of this supervisor.")
            self.waiting = gauge("supervisor_waiting_tenants", "Tenants that have something to do and no place.")
            self.unreachable = gauge("supervisor_unreachable_tenants", "Cold tenants that could not be looked at.")
            self.members = gauge("supervisor_members", "Live supervisors of the group.")
            self.promote = counter("supervisor_promote", "Tenants made hot.", "reason")
            self.demote = counter("supervisor_demote", "Tenants made cold.", "reason")
            self.promote_seconds = histogram(
                "supervisor_promote_duration_seconds", "From the decision until the runner has signed in.", _SECONDS
            )
            self.enqueue = counter("supervisor_enqueue", "Jobs put into queues by this supervisor.", "queue")
            self.attempts = counter("supervisor_job_attempts", "Attempts that ended.", "queue", "outcome")
            self.mismatches = counter("supervisor_payload_mismatch", "Jobs refused because they name another tenant.")
            self.budget_ratio = gauge(
                "connection_budget_ratio", "Connections that hot tenants may take, of those that their server has."
            )
            self.connections = gauge(
                "connection_budget", "Connections that the hot tenants of this supervisor may take."
            )
            self.scan_seconds = histogram(
                "cold_dispatcher_scan_duration_seconds", "One look at the cold tenants that were due.", _SCAN_SECONDS
            )
            self.scanned = counter("cold_dispatcher_tenants_scanned", "Looks at a cold tenant.")
            self.promotions = counter("cold_dispatcher_promotions", "Tenants made hot because of a look.")
        except ValueError as error:
            raise ConfigurationError(
                f"metrics cannot be named {namespace}_…: {error}",
                hint="letters, digits and _, not beginning with a digit",
            ) from error
        for why in PROMOTIONS:
            self.promote.labels(why.value)
        for why in DEMOTIONS:
            self.demote.labels(why.value)
