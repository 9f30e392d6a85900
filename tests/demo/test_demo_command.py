"""`trickle demo` as a newcomer runs it: the verdict, and nothing left behind however it ends."""

from __future__ import annotations

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
from typer.testing import CliRunner

from trickle.cli.main import app

REPLAYING = "December is replayed"


@pytest.fixture
def temporary_directory() -> Iterator[Path]:
    """A place for the demo's server that only this test sees; short, because a socket's path is."""
    require_server()
    directory = Path(tempfile.mkdtemp(prefix="d-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def demo(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The running command; killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "trickle", "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(directory)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    said = []
    for text in process.stdout:
        said.append(text)
        if words in text:
            return
    raise AssertionError("".join(said))


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def has_three_workers(process: subprocess.Popen[str]) -> bool:
    """Three instances, each with its refresh subprocesses."""
    return sum("worker" in command_line(child) for child in family(process)) >= 9


def command_line(process: psutil.Process) -> str:
    """How the process was called; nothing of one that ended while we looked."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def assert_all_gone(processes: list[psutil.Process]) -> None:
    until(lambda: not any(process.is_running() for process in processes), what="processes of the demo are left")


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_chaos_ends_in_equality(temporary_directory: Path) -> None:
    with demo(temporary_directory, "--seconds", "15", "--chaos", "--check", "--speed", "60") as process:
        read_until(process, REPLAYING)
        until(lambda: has_three_workers(process), what="three workers")
        processes = family(process)
        said = process.communicate(timeout=180)[0]
    assert process.returncode == 0, said
    assert "stream tables are equal to their queries" in said
    assert "taken over" in said
    assert_all_gone(processes)
    assert not list(temporary_directory.glob("trickle-*/server-*"))


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_nothing_outlives_a_killed_demo(temporary_directory: Path) -> None:
    with demo(temporary_directory) as process:
        read_until(process, REPLAYING)
        until(lambda: has_three_workers(process), what="three workers")
        processes = family(process)
        process.send_signal(signal.SIGKILL)
        assert_all_gone(processes)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGINT, 0, marks=pytest.mark.full), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_nothing_outlives_a_demo_that_was_ended(temporary_directory: Path, number: signal.Signals, code: int) -> None:
    with demo(temporary_directory) as process:
        read_until(process, REPLAYING)
        until(lambda: has_three_workers(process), what="three workers")
        processes = family(process)
        process.send_signal(number)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == code, said
    assert_all_gone(processes)
    assert not list(temporary_directory.glob("trickle-*/server-*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--speed", "0"], "speed must be greater than zero"),
        (["--seconds", "-1"], "seconds must be greater than zero"),
        (["--workers", "0"], "workers must be from 1 to 16"),
        (["--workers", "1", "--chaos"], "chaos needs at least two workers"),
    ],
)
def test_impossible_options_are_refused_before_anything_starts(options: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["demo", *options])
    assert result.exit_code == 1
    assert words in result.stderr
