"""Every metric that the code exports, with its labels, read from the registries that the code builds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from trickle import metrics
from trickle.jobs.metrics import JobMetrics
from trickle.relay.standing import Standing
from trickle.supervisor.relay_report import RelayReport
from trickle.tenants.metrics import SupervisorMetrics

NAMESPACES = ("pg_trickle", "rcm")  # of supervisors: the default, and that of their runbook
_SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


def exported() -> dict[str, frozenset[str]]:
    """By the names under which Prometheus has them."""
    found: dict[str, frozenset[str]] = {}
    for family in _families():
        (described,) = family.describe()
        _put(found, described, family._labelnames)
    for described in _of_a_relay():
        _put(found, described, {label for sample in described.samples for label in sample.labels} - {"le"})
    return found


def _put(found: dict[str, frozenset[str]], described: Metric, labels: Iterable[str]) -> None:
    for suffix in _SUFFIXES[described.type]:
        name = described.name + suffix
        assert name not in found, f"{name} is exported twice"
        found[name] = frozenset(labels) | ({"le"} if suffix == "_bucket" else set())


def _families() -> Iterable[MetricWrapperBase]:
    worker, launcher = metrics.build(), metrics.build_launcher()
    attributes: list[Mapping[str, object]] = [
        {field.name: getattr(worker, field.name) for field in fields(worker)},
        {field.name: getattr(launcher, field.name) for field in fields(launcher)},
        vars(JobMetrics()),
        *(vars(SupervisorMetrics(namespace)) for namespace in NAMESPACES),
    ]
    return [value for known in attributes for value in known.values() if isinstance(value, MetricWrapperBase)]


def _of_a_relay() -> Iterable[Metric]:
    """It makes its families when it is asked, of what it carries then."""
    report = RelayReport("default")
    told = Standing(failures=Counter({"refused": 1}))
    report.publish({"a": told}, (), {"a": "forward"}, frozenset({"a"}))
    return list(report.registry.collect())
