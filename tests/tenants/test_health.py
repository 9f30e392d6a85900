"""What a supervisor answers to probes: whether its loop turns, and whether it can make tenants hot."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

from support.brokers import free_port
from support.databases import Database
from support.supervising import HANDLERS, Supervised, supervised
from support.waiting import until

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


def answer(made: Supervised, path: str) -> HTTPStatus | None:
    found = made.supervisor.board.answer(path)
    return None if found is None else found[0]


def test_without_a_home_it_lives_and_is_not_ready(handlers: list[str]) -> None:
    with supervised(NOWHERE, list, handlers) as made:
        started = time.monotonic()
        until(lambda: made.supervisor.board.turned_at > started, seconds=30, what="its loop turns")
        assert answer(made, "/livez") == HTTPStatus.OK
        assert answer(made, "/readyz") == HTTPStatus.SERVICE_UNAVAILABLE


def status(port: int, path: str) -> int:
    """0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answered:
            return int(answered.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_with_a_home(db: Database, tmp_path: Path) -> None:
    """As a probe asks: at the port of its metrics."""
    (tmp_path / "tasks.py").write_text(HANDLERS, encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-m", "trickle", "supervisor", "run", "tasks", "--postgres-url", db.url]
    command += ["--metrics-port", str(port)]
    known = {**os.environ, "PYTHONPATH": os.getcwd()}
    with db.connect() as owner:
        owner.execute("INSERT INTO pgtrickle.tenants (tenant_id) VALUES ('a')")
        process = subprocess.Popen(command, cwd=tmp_path, env=known, stdin=subprocess.DEVNULL)
        try:
            until(lambda: status(port, "/health") == 200, seconds=30, what="it looks after a tenant")
            assert [status(port, path) for path in ("/livez", "/readyz", "/metrics", "/other")] == [200, 200, 200, 404]
            owner.execute("DELETE FROM pgtrickle.tenants")
            until(lambda: status(port, "/health") == 503, seconds=30, what="it looks after nobody")
            assert status(port, "/readyz") == 200
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
