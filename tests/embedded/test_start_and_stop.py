"""A data directory is started, found, stopped and started again; whatever state a crash left it in."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
from support.frozen import freeze
from support.waiting import until

from trickle import embedded
from trickle.embedded import launch
from trickle.embedded.run_as import namespaces_allowed
from trickle.embedded.spawn import Child
from trickle.errors import ConfigurationError, Refused

Settings = dict[str, embedded.Setting]


def one_value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def test_a_started_server_answers_and_a_stopped_one_is_gone(data_dir: Path, small: Settings) -> None:
    server = embedded.start(data_dir, settings=small)
    assert server.started_here
    assert one_value(server.url(), "SHOW max_connections") == "10"
    assert str(one_value(server.url(), "SHOW server_version")).split()[0] == server.version
    assert embedded.status(data_dir) == server
    assert embedded.stop(server)
    assert embedded.status(data_dir) is None
    assert not embedded.stop(server)
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_data_survives_a_restart_and_settings_are_those_of_the_start(data_dir: Path, small: Settings) -> None:
    first = embedded.start(data_dir, settings=small)
    with psycopg.connect(first.url()) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    embedded.stop(first)
    second = embedded.start(data_dir, settings={**small, "wal_level": "logical"})
    assert one_value(second.url(), "SELECT count(*) FROM kept") == 0
    assert one_value(second.url(), "SHOW wal_level") == "logical"


def test_tcp_asks_for_a_password_and_listens_on_loopback_only(data_dir: Path, small: Settings) -> None:
    server = embedded.start(data_dir, settings=small)
    assert one_value(server.tcp_url(), "SELECT host(inet_server_addr())") == "127.0.0.1"
    assert one_value(server.url(), "SHOW listen_addresses") == "127.0.0.1"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.tcp_url().replace(server.password, "guess"))
    assert server.password not in repr(server)


def test_nobody_else_can_enter_the_directories(data_dir: Path, small: Settings) -> None:
    server = embedded.start(data_dir, settings=small)
    for directory in (server.data_dir, server.socket_dir):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.data_dir / "password").stat().st_mode) == 0o600


def test_a_wanted_port_is_used_and_a_taken_one_is_an_error(data_dir: Path, tmp_path: Path, small: Settings) -> None:
    server = embedded.start(data_dir, settings=small)
    embedded.stop(server)
    again = embedded.start(data_dir, settings=small, port=server.port)
    assert again.port == server.port
    with pytest.raises(ConfigurationError, match="TCP/IP"):
        embedded.start(tmp_path / "other", settings=small, port=server.port)


def test_a_wrong_setting_is_an_error_in_the_servers_words(data_dir: Path, small: Settings) -> None:
    with pytest.raises(ConfigurationError, match="no_such_setting"):
        embedded.start(data_dir, settings={**small, "no_such_setting": 1})


def test_two_starters_end_with_one_server(data_dir: Path, small: Settings) -> None:
    with ThreadPoolExecutor(4) as starters:
        servers = list(starters.map(lambda _: embedded.start(data_dir, settings=small), range(4)))
    assert len(set(servers)) == 1
    assert [server.started_here for server in servers].count(True) == 1


def test_a_killed_server_is_started_again(data_dir: Path, small: Settings) -> None:
    killed = embedded.start(data_dir, settings=small)
    with psycopg.connect(killed.url()) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    os.kill(killed.pid, signal.SIGKILL)
    until(lambda: embedded.status(data_dir) is None)
    server = embedded.start(data_dir, settings=small)
    assert server.pid != killed.pid
    assert one_value(server.url(), "SELECT count(*) FROM kept") == 0


def test_a_process_that_got_the_old_process_id_is_left_alone(data_dir: Path, small: Settings) -> None:
    server = embedded.start(data_dir, settings=small)
    pid_file = server.data_dir / "cluster" / "pgdata" / "postmaster.pid"
    freeze(server.pid)
    left_behind = pid_file.read_text(encoding="utf-8").splitlines()
    os.kill(server.pid, signal.SIGCONT)
    embedded.stop(server)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *left_behind[1:], ""]), encoding="utf-8")
        assert embedded.status(data_dir) is None
        assert not embedded.stop(data_dir)
        assert embedded.start(data_dir, settings=small).started_here
        assert stranger.poll() is None
        stranger.kill()


def test_an_interrupted_initdb_is_begun_anew(data_dir: Path, small: Settings) -> None:
    unfinished = data_dir / "cluster" / "pgdata.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "half").write_text("")
    data_dir.chmod(0o700)
    if os.geteuid() == 0 and not namespaces_allowed():
        pytest.skip("root without user namespaces keeps its clusters elsewhere")
    assert embedded.start(data_dir, settings=small).started_here
    assert not unfinished.exists()


def test_files_of_another_major_version_are_refused(data_dir: Path, small: Settings) -> None:
    server = embedded.start(data_dir, settings=small)
    embedded.stop(server)
    version = server.data_dir / "cluster" / "pgdata" / "PG_VERSION"
    version.write_text("9\n", encoding="ascii")
    with pytest.raises(Refused, match="made by PostgreSQL 9"):
        embedded.start(data_dir, settings=small)


def test_an_interrupted_start_leaves_nothing_running(
    data_dir: Path, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def interrupted(child: Child, *_: object) -> None:
        started.append(child.process.pid)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(launch, "_await_child", interrupted)
        embedded.start(data_dir, settings=small)
    assert not psutil.pid_exists(started[0])
    assert embedded.start(data_dir, settings=small).started_here


def test_a_long_path_does_not_matter(tmp_path: Path, small: Settings) -> None:
    """A unix socket's address has room for about a hundred bytes."""
    directory = tmp_path / ("deep" * 20) / ("deeper" * 10)
    server = embedded.start(directory, settings=small)
    try:
        assert one_value(server.url(), "SELECT 1") == 1
    finally:
        embedded.stop(directory, "immediate")
    assert not server.socket_dir.exists()


def test_a_smart_stop_waits_for_clients(data_dir: Path, small: Settings) -> None:
    server = embedded.start(data_dir, settings=small)
    connection = psycopg.connect(server.url())
    threading.Timer(0.5, connection.close).start()
    began = time.monotonic()
    assert embedded.stop(server, "smart")
    assert time.monotonic() - began >= 0.4
