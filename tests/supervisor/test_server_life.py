"""The server restarts, comes back as a standby, is promoted, or another takes its place: the instance waits, lives on,
and claims anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.backup import base_backup
from support.server import require_server
from support.waiting import until

from trickle import embedded
from trickle.catalog import migrate

Start = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A server of this test alone, with a catalog and one stream table."""
    require_server()
    directory = tmp_path / "server"
    server = embedded.start(directory, settings={"fsync": False}, die_with_parent=True)
    migrate.init(server.url())
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY)")
        conn.execute(
            "SELECT pgtrickle.create_stream_table('counted', 'SELECT count(*) AS n FROM source', schedule => '1s')"
        )
    yield directory
    embedded.stop(directory, "immediate")


def restart(home: Path, *, as_standby: bool = False) -> embedded.Server:
    server = embedded.status(home)
    assert server is not None
    embedded.stop(home)
    if as_standby:
        (next(home.rglob("PG_VERSION")).parent / "standby.signal").touch()
    return embedded.start(home, settings={"fsync": False}, port=server.port, die_with_parent=True)


def owned(server: embedded.Server) -> int:
    with psycopg.connect(server.url(), autocommit=True) as conn:
        row = conn.execute("SELECT count(*) FROM pgtrickle.ownership WHERE instance_id IS NOT NULL").fetchone()
    assert row is not None
    return int(row[0])


def counted(server: embedded.Server) -> int:
    with psycopg.connect(server.url(), autocommit=True) as conn:
        row = conn.execute("SELECT n FROM counted").fetchone()
    return int(row[0]) if row else -1


def test_restart_standby_and_promotion(home: Path, start_server_worker: Start) -> None:
    server = embedded.status(home)
    assert server is not None
    worker = start_server_worker(url=server.url())
    until(lambda: owned(server) == 1)

    server = restart(home)
    until(lambda: owned(server) == 1, seconds=20, what="claimed anew after a restart")
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute("INSERT INTO source VALUES (1)")
    until(lambda: counted(server) == 1, seconds=20)

    server = restart(home, as_standby=True)
    until(lambda: worker.said("the server is a standby: waiting for its promotion"), seconds=20)
    assert owned(server) == 0, "a claim on a standby is none"
    assert worker.process.poll() is None
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute("SELECT pg_promote()")
        conn.execute("INSERT INTO source VALUES (2)")
    until(lambda: owned(server) == 1, seconds=20, what="claimed anew after the promotion")
    until(lambda: counted(server) == 2, seconds=20)
    worker.terminate()
    assert worker.wait() == 0


@pytest.fixture
def replica(home: Path, tmp_path: Path) -> Iterator[embedded.Server]:
    """A second server that follows the first by streaming."""
    primary = embedded.status(home)
    assert primary is not None
    directory = tmp_path / "replica"
    base_backup(primary, directory, follows=True)
    yield embedded.start(directory, settings={"fsync": False}, die_with_parent=True)
    embedded.stop(directory, "immediate")


def either(first: embedded.Server, second: embedded.Server) -> str:
    """A connection string that leads to whichever of the two answers."""
    one, other = (conninfo_to_dict(server.url()) for server in (first, second))
    return make_conninfo(**{**one, "host": f"{one['host']},{other['host']}", "port": f"{one['port']},{other['port']}"})


def test_a_standby_takes_the_place_of_its_primary(
    home: Path, replica: embedded.Server, start_server_worker: Start
) -> None:
    primary = embedded.status(home)
    assert primary is not None
    worker = start_server_worker(url=either(primary, replica))
    until(lambda: owned(primary) == 1)
    with psycopg.connect(primary.url(), autocommit=True) as conn:
        conn.execute("INSERT INTO source VALUES (1)")
        until(lambda: counted(replica) == 1, seconds=20, what="what a refresh wrote is read from the standby")
        behind = "SELECT pg_current_wal_lsn() <= replay_lsn FROM pg_stat_replication"
        until(lambda: conn.execute(behind).fetchone() == (True,), seconds=20)
    with psycopg.connect(replica.url(), autocommit=True) as conn:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="cannot refresh a stream table on a standby"):
            conn.execute("SELECT pgtrickle.refresh_stream_table('counted')")
        embedded.stop(home, "immediate")
        until(lambda: worker.said("the server is a standby: waiting for its promotion"), seconds=30)
        conn.execute("SELECT pg_promote()")
        conn.execute("INSERT INTO source VALUES (2), (3)")
    until(lambda: owned(replica) == 1, seconds=30, what="claimed anew on the other server")
    until(lambda: counted(replica) == 3, seconds=30)
    worker.terminate()
    assert worker.wait() == 0
