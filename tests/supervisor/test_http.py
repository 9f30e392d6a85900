"""/metrics, /health, /livez, /readyz: status codes and bodies."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from trickle import metrics
from trickle.errors import ConfigurationError
from trickle.scheduler.table import Table
from trickle.supervisor.http import LIVE_SECONDS, Board, Health, HttpServer
from trickle.supervisor.observe import Database
from trickle.supervisor.report import Reporter
from trickle.worker.protocol import Outcome


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def families() -> metrics.Metrics:
    return metrics.build()


@pytest.fixture
def server(board: Board, families: metrics.Metrics) -> Iterator[HttpServer]:
    serving = HttpServer("127.0.0.1", 0, board, families.registry).start()
    yield serving
    serving.close()


def get(server: HttpServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("health", "ready", "healthy"),
    [
        (Health("connecting"), 503, 503),
        (Health("joined"), 200, 503),
        (Health("joined", owned=2), 200, 200),
        (Health("standby"), 200, 503),
        (Health("draining", owned=1), 503, 200),
    ],
)
def test_states(server: HttpServer, board: Board, health: Health, ready: int, healthy: int) -> None:
    board.publish(health)
    assert get(server, "/livez")[0] == 200
    assert get(server, "/readyz")[0] == ready
    status, body = get(server, "/health")
    assert status == healthy
    assert json.loads(body)["owned"] == health.owned


def test_a_loop_that_no_longer_turns_is_not_live(server: HttpServer, board: Board) -> None:
    board.turned_at -= LIVE_SECONDS + 1
    assert get(server, "/livez")[0] == 503


def test_unknown_paths(server: HttpServer) -> None:
    assert get(server, "/")[0] == 404


def test_metrics_carry_the_names_and_labels_of_the_dashboards(server: HttpServer, families: metrics.Metrics) -> None:
    reporter = Reporter(families, children=3)
    reporter.connected(Database(5, "shop"))
    table = Table(1, "public", "revenue")
    reporter.tables([table], frozenset({1}))
    reporter.refreshed(table, Outcome("DIFFERENTIAL", 2, 1, 0), 0.004)
    reporter.failed(table)
    reporter.busy(1, 2)
    text = get(server, "/metrics")[1]
    labels = 'db_name="shop",db_oid="5",name="revenue",schema="public"'
    for line in (
        f"pg_trickle_refreshes_total{{{labels}}} 1.0",
        f"pg_trickle_rows_changed_total{{{labels}}} 3.0",
        f"pg_trickle_refresh_failures_total{{{labels}}} 1.0",
        f"pg_trickle_active{{{labels}}} 1.0",
        f"pg_trickle_owned{{{labels}}} 1.0",
        'pg_trickle_active_workers{db_name="shop"} 1.0',
        "pg_trickle_max_concurrent_refreshes 3.0",
        'pg_trickle_refresh_duration_seconds_count{db_name="shop"} 1.0',
    ):
        assert line in text
    assert "pg_trickle_info{" in text


def test_a_dropped_stream_table_leaves_no_series(families: metrics.Metrics) -> None:
    reporter = Reporter(families, children=1)
    reporter.tables([Table(1, "public", "gone")], frozenset())
    reporter.failed(Table(1, "public", "gone"))
    reporter.tables([], frozenset())
    names = {sample.labels.get("name") for family in families.registry.collect() for sample in family.samples}
    assert "gone" not in names


def test_a_taken_port_is_a_clear_error(server: HttpServer, board: Board, families: metrics.Metrics) -> None:
    with pytest.raises(ConfigurationError, match="cannot serve metrics"):
        HttpServer("127.0.0.1", server.port, board, families.registry)
