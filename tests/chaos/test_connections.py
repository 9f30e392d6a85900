"""Sessions that are ended and servers that go away while refreshes are in flight.

Lies it would catch: a refresh believed committed, or lost, because nobody heard; an instance that ends with its
connection; a consistent-looking table whose frontier is from after the crash and its rows from before.
Oracle: PostgreSQL; when all is quiet every stream table must become equal to its query by itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.server import require_server
from support.waiting import until

from chaos.conftest import Start, prepare
from chaos.load import assert_settled, load
from trickle import embedded
from trickle.catalog import migrate

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

TERMINATE = (
    "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND application_name LIKE 'pg\\_trickle\\_%'"
)


def test_backends_are_terminated(shop: Database, start: Start, watcher: psycopg.Connection[Any]) -> None:
    instance = start(children=2)
    with load(shop.url):
        for _ in range(8):
            ended = until(lambda: watcher.execute(TERMINATE.encode()).fetchall(), seconds=60, what="sessions to end")
            until(
                lambda ended=ended: not {pid for pid, _ in ended} & _backends(watcher),
                seconds=15,
                what="they are gone",
            )
            assert instance.process.poll() is None, instance.log.read_text()[-2000:]
    assert_settled(watcher)
    assert instance.drain() == 0


def _backends(watcher: psycopg.Connection[Any]) -> set[int]:
    return {pid for (pid,) in watcher.execute("SELECT pid FROM pg_stat_activity").fetchall()}


@pytest.fixture
def home() -> Iterator[Path]:
    """A server of this test alone, at a path short enough for its socket to stay where it is."""
    require_server()
    with tempfile.TemporaryDirectory(prefix="t") as short:
        directory = Path(short) / "s"
        embedded.start(directory, settings={"fsync": False}, die_with_parent=True)
        yield directory
        embedded.stop(directory, "immediate")


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_the_server_restarts(home: Path, start_on: Start, how: str) -> None:
    server = embedded.status(home)
    assert server is not None
    migrate.init(server.url())
    prepare(server.url())
    instance = start_on(server.url())
    with load(server.url()):
        for _ in range(2):
            with psycopg.connect(server.url(), autocommit=True) as watcher:
                before = watcher.execute("SELECT max(refresh_id) FROM pgtrickle.pgt_refresh_history").fetchone()
                until(
                    lambda before=before, watcher=watcher: (
                        watcher.execute("SELECT max(refresh_id) FROM pgtrickle.pgt_refresh_history").fetchone()
                        != before
                    ),
                    seconds=60,
                    what="work goes on",
                )
            embedded.stop(home, how)
            embedded.start(home, settings={"fsync": False}, port=server.port, die_with_parent=True)
    with psycopg.connect(server.url(), autocommit=True) as watcher:
        assert_settled(watcher)
    assert instance.process.poll() is None, instance.log.read_text()[-2000:]
    assert instance.drain() == 0
