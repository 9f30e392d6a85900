"""Metrics of a relay, made from what its carriers tell whenever they are asked for.

Counters go on from where a dead carrier's ended: what one tells is added to what those before it have told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from trickle.relay.standing import LATENCY_BUCKETS, Standing, State

_PREFIX = "pg_tide_relay_"


class RelayReport(Collector):
    """The pipelines that this relay carries, and has carried."""

    def __init__(self, group_id: str) -> None:
        self.registry = CollectorRegistry()
        self._group_id = group_id
        self._now: Mapping[str, Standing] = {}
        self._directions: Mapping[str, str] = {}
        self._owned: frozenset[str] = frozenset()
        self._counts: tuple[Mapping[str, Standing], Mapping[str, Standing]] = ({}, {})  # what ended, and goes on
        self.registry.register(self)

    def publish(
        self,
        standings: Mapping[str, Standing],
        ended: Iterable[tuple[str, Standing]],
        directions: Mapping[str, str],
        owned: frozenset[str],
    ) -> None:
        """What the carriers say now, and what came to its end since: one that begins anew counts from nought."""
        # Replaced, never changed, and both at once: another thread may be reading them.
        before = dict(self._counts[0])
        for name, told in ended:
            before[name] = _sum(before.get(name), told)
        self._directions = {**self._directions, **directions}
        self._now, self._owned = dict(standings), owned
        self._counts = before, self._now

    def collect(self) -> Iterator[Metric]:
        labels = ("pipeline", "direction")
        before, now = self._counts
        totals = {**before, **{name: _sum(before.get(name), told) for name, told in now.items()}}
        rows = [(name, self._directions.get(name, ""), told) for name, told in sorted(totals.items())]
        for word, help, value in _COUNTERS:
            family = CounterMetricFamily(_PREFIX + word, help, labels=labels)
            for name, direction, told in rows:
                family.add_metric((name, direction), value(told))
            yield family
        yield _failures(rows)
        yield _latency(rows)
        yield from self._gauges()

    def _gauges(self) -> Iterable[Metric]:
        # The name of the printed page, and that of the others.
        for name in ("pg_tide_pipeline_healthy", _PREFIX + "pipeline_healthy"):
            healthy = GaugeMetricFamily(name, "1 while the pipeline is carried here and runs.", labels=("pipeline",))
            for pipeline in sorted(self._owned):
                told = self._now.get(pipeline)
                healthy.add_metric((pipeline,), told is not None and told.state is State.RUNNING)
            yield healthy
        in_hand = GaugeMetricFamily(_PREFIX + "in_hand", "Messages read and not done.", labels=("pipeline",))
        is_open = GaugeMetricFamily(_PREFIX + "circuit_open", "1 while the circuit is open.", labels=("pipeline",))
        for pipeline in sorted(self._owned & self._now.keys()):
            in_hand.add_metric((pipeline,), self._now[pipeline].in_hand)
            is_open.add_metric((pipeline,), self._now[pipeline].circuit != "closed")
        yield in_hand
        yield is_open
        owned = GaugeMetricFamily(
            _PREFIX + "owned_pipelines", "Pipelines claimed by this relay.", labels=("relay_group",)
        )
        owned.add_metric((self._group_id,), len(self._owned))
        yield owned


_Row = tuple[str, str, Standing]
_COUNTERS: tuple[tuple[str, str, Callable[[Standing], int]], ...] = (
    ("messages_published", "Messages that the destination or the inbox has accepted.", lambda told: told.published),
    ("messages_consumed", "Messages read from the outbox or received from the source.", lambda told: told.consumed),
    ("messages_filtered", "Messages that a filter has dropped.", lambda told: told.filtered),
    ("dedup_skipped", "Messages that the inbox had received before.", lambda told: told.duplicates),
    ("dlq_entries_written", "Messages set aside.", lambda told: told.buried),
    ("dlq_entries_redriven", "Dead letters that arrived after all.", lambda told: told.redriven),
    ("publish_errors", "Failures of any kind.", lambda told: told.failures.total()),
)


def _failures(rows: Iterable[_Row]) -> Metric:
    family = CounterMetricFamily(
        _PREFIX + "connector_failures", "Failures by kind.", labels=("pipeline", "direction", "code")
    )
    for name, direction, told in rows:
        for code, count in sorted(told.failures.items()):
            family.add_metric((name, direction, code), count)
    return family


def _latency(rows: Iterable[_Row]) -> Metric:
    family = HistogramMetricFamily(
        _PREFIX + "delivery_latency_seconds",
        "From publishing to the answer of the destination.",
        labels=("pipeline",),
    )
    for name, direction, told in rows:
        if direction != "forward":
            continue
        buckets, total = [], 0
        for bound, count in zip((*map(str, LATENCY_BUCKETS), "+Inf"), told.latency, strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric((name,), buckets, told.latency_sum)
    return family


def _sum(before: Standing | None, now: Standing) -> Standing:
    """Counters of both, and how it is now."""
    total = deepcopy(now)
    if before is not None:
        for word in ("published", "consumed", "filtered", "duplicates", "buried", "redriven"):
            setattr(total, word, getattr(before, word) + getattr(now, word))
        total.failures = before.failures + now.failures
        total.latency = [a + b for a, b in zip(before.latency, now.latency, strict=True)]
        total.latency_sum = before.latency_sum + now.latency_sum
    return total
