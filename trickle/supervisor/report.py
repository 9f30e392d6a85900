"""Turns what happened into metrics. The only place that knows which event moves which number."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from trickle import metrics
from trickle.scheduler.table import Table
from trickle.supervisor.observe import Database
from trickle.worker.protocol import Outcome

_Labels = tuple[str, str, str, str]


class Reporter:
    """The metrics of one instance in one database."""

    def __init__(self, families: metrics.Metrics, children: int) -> None:
        self._families = families
        self._database = Database(0, "")
        self._shown: set[_Labels] = set()
        families.max_concurrent_refreshes.set(children)

    def connected(self, database: Database) -> None:
        self._database = database
        self._families.info.labels(_version(), str(database.oid), database.name).set(1)

    def refreshed(self, table: Table, outcome: Outcome, seconds: float) -> None:
        labels = self._labels(table)
        self._families.refreshes.labels(*labels).inc()
        self._families.rows_changed.labels(*labels).inc(outcome.rows_changed)
        self._families.duration.labels(self._database.name).observe(seconds)

    def failed(self, table: Table) -> None:
        self._families.failures.labels(*self._labels(table)).inc()

    def replaced(self, reason: str) -> None:
        self._families.child_restarts.labels(reason).inc()

    def tables(self, tables: Iterable[Table], owned: frozenset[int]) -> None:
        """The gauges of every stream table; those of dropped ones are taken away."""
        shown: set[_Labels] = set()
        for table in tables:
            labels = self._labels(table)
            shown.add(labels)
            self._families.consecutive_errors.labels(*labels).set(table.consecutive_errors)
            self._families.active.labels(*labels).set(table.status == "ACTIVE")
            self._families.owned.labels(*labels).set(table.pgt_id in owned)
        metrics.forget(self._families, self._shown - shown)
        self._shown = shown

    def busy(self, count: int, members: int) -> None:
        self._families.active_workers.labels(self._database.name).set(count)
        self._families.members.set(members)

    def _labels(self, table: Table) -> _Labels:
        return (table.schema, table.name, str(self._database.oid), self._database.name)


def _version() -> str:
    try:
        return version("trickle-pg")
    except PackageNotFoundError:
        return "unknown"  # run from a checkout that was never installed
