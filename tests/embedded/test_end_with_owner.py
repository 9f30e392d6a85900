"""A throw-away server ends with its owner, `kill -9` included, and what it leaves on disk is swept."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from support.server import require_server
from support.waiting import until

from trickle import embedded
from trickle.errors import ConfigurationError

Settings = dict[str, embedded.Setting]
OWNER = Path(__file__).with_name("owner.py")


@pytest.fixture
def temporary_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for throw-away servers that only this test sweeps; short, because a socket's path is."""
    require_server()
    directory = Path(tempfile.mkdtemp(prefix="t-"))
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    yield directory
    shutil.rmtree(directory)


@contextmanager
def owner(directory: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A process that owns a server; ended hard if it still runs."""
    with subprocess.Popen(
        [sys.executable, str(OWNER), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(directory)},
    ) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            yield process, told["pid"], Path(told["data_dir"])
        finally:
            process.kill()


def family(pid: int) -> list[psutil.Process]:
    """A server and its backends, while it still has them."""
    postmaster = psutil.Process(pid)
    return [postmaster, *postmaster.children(recursive=True)]


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() for process in processes)


@pytest.mark.chaos
@pytest.mark.parametrize("where", ["main", "thread"])
def test_killing_the_owner_leaves_nothing_running(temporary_directory: Path, where: str) -> None:
    with owner(temporary_directory, where) as (process, pid, _):
        servers = family(pid)
        assert len(servers) > 3
        process.kill()
        process.wait()
        until(lambda: all_gone(servers), what="the server to end with its owner")


@pytest.mark.chaos
def test_the_next_owner_sweeps_what_a_killed_one_left(temporary_directory: Path, small: Settings) -> None:
    with owner(temporary_directory) as (process, _, left_behind):
        process.kill()
        process.wait()
        assert left_behind.exists()
        with embedded.temporary(settings=small) as server:
            assert not left_behind.exists()
            assert server.data_dir.exists()
        assert not server.data_dir.exists()


def test_a_living_owner_keeps_its_server(temporary_directory: Path, small: Settings) -> None:
    with owner(temporary_directory) as (process, pid, data_dir):
        with embedded.temporary(settings=small):
            pass
        assert embedded.status(data_dir) is not None
        process.send_signal(signal.SIGINT)
        until(lambda: not data_dir.exists(), what="an interrupted owner to clean up")
        assert not psutil.pid_exists(pid)


def test_a_directory_that_vanishes_while_it_is_swept_stops_nobody(temporary_directory: Path, small: Settings) -> None:
    """Its owner removes it just then: it was listed, and is gone."""
    base = temporary_directory / f"trickle-{os.geteuid()}"
    base.mkdir(mode=0o700)
    (base / "server-gone").symlink_to("nowhere")
    with embedded.temporary(settings=small) as server:
        assert server.url()


def test_a_server_that_need_not_end_outlives_its_starter(data_dir: Path, small: Settings) -> None:
    program = f"from trickle import embedded; embedded.start({str(data_dir)!r}, settings={small!r})"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert embedded.status(data_dir) is not None


def test_a_directory_of_somebody_else_is_not_used(temporary_directory: Path, small: Settings) -> None:
    (temporary_directory / f"trickle-{os.geteuid()}").symlink_to(temporary_directory)
    with pytest.raises(ConfigurationError, match="somebody else"), embedded.temporary(settings=small):
        pass
