"""What a service manager sees of the verbs that it starts: exit codes that say whether to start again, and words.

Lies it would catch: a wrong setting that is tried again for ever; a service that is waited for and never says that it
is up; one that is taken for alive when it hangs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import psycopg
import pytest
import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.databases import Database
from support.supervising import HANDLERS
from support.waiting import until

from trickle.cli.service import as_service
from trickle.errors import ConfigurationError, Ours, Refused, TrickleError, TryAgain

from .conftest import Trickle


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("wrong"), 78),
        (Refused("no"), 78),
        (TryAgain("later"), 69),
        (Ours("a defect"), 70),
        (psycopg.OperationalError("connection refused"), 69),
    ],
)
def test_the_exit_codes(error: TrickleError | psycopg.Error, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, as_service():
        raise error
    assert caught.value.exit_code == code
    assert str(error) in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ("worker", "--drain-timeout", "soon"),
        ("relay", "--drain-timeout", "soon"),
        ("supervisor", "run"),
        ("supervisor", "run", "no_such_module"),
        ("jobs", "run", "no_such_module"),
    ],
)
def test_what_is_wrong_is_not_to_be_started_again(trickle: Trickle, command: tuple[str, ...]) -> None:
    assert trickle(*command, expect=78).stderr


@pytest.mark.parametrize("verb", ["worker", "relay"])
def test_it_waits_for_a_server_that_is_not_there_yet(db: Database, verb: str) -> None:
    with tempfile.TemporaryDirectory(prefix="trickle-") as folder:
        later = Path(folder, "later")
        url = make_conninfo(db.url, host=str(later))
        command = [sys.executable, "-m", "trickle", verb, "--postgres-url", url]
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            assert child.stderr is not None
            assert "waiting for the server" in child.stderr.readline()
            later.symlink_to(str(conninfo_to_dict(db.url)["host"]))
            assert any("started" in line for line in child.stderr)
            child.send_signal(signal.SIGTERM)
            assert child.wait(30) == 0
        finally:
            child.kill()
            child.communicate()


@pytest.mark.parametrize("verb", ["supervisor", "jobs"])
def test_what_it_says_to_a_service_manager(db: Database, tmp_path: Path, verb: str) -> None:
    (tmp_path / "tasks.py").write_text(HANDLERS, encoding="utf-8")
    address = str(tmp_path / "notify")
    command = [sys.executable, "-m", "trickle", verb, "run", "tasks", "--postgres-url", db.url]
    environment = {
        **os.environ,
        "PYTHONPATH": os.getcwd(),
        "NOTIFY_SOCKET": address,
        "WATCHDOG_USEC": "2000000",
    }
    heard: set[str] = set()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(0.2)

        def hears(*words: str) -> bool:
            with contextlib.suppress(TimeoutError):
                heard.add(listening.recv(4096).decode())
            return all(any(said.startswith(word) for said in heard) for word in words)

        child = subprocess.Popen(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL)
        try:
            until(lambda: hears("READY=1", "WATCHDOG=1", "STATUS=joined"), seconds=30)
            child.send_signal(signal.SIGTERM)
            until(lambda: hears("STOPPING=1"), seconds=30)
            assert child.wait(30) == 0
        finally:
            child.kill()
            child.wait()


def test_the_health_paths_of_a_runner(db: Database, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(HANDLERS, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "trickle", "jobs", "run", "tasks", "--postgres-url", db.url]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    child = subprocess.Popen(
        [*command, "--metrics-port", str(port)], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL
    )

    def answers(path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        for path in ("/readyz", "/livez", "/health", "/metrics"):
            until(lambda path=path: answers(path), seconds=30, what=path)
    finally:
        child.terminate()
        assert child.wait(30) == 0
