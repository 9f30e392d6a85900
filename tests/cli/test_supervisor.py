"""`trickle supervisor`: what it lists agrees with the locks, and what it asks for is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.databases import Database
from support.supervising import HANDLERS
from support.waiting import until

from .conftest import Trickle


@pytest.fixture
def homed(db: Database) -> Database:
    with db.connect() as owner:
        for name in ("a", "b"):
            owner.execute("SELECT pgtrickle.create_job_schema(%s)", (f"jobs_{name}",))
            owner.execute(
                "INSERT INTO pgtrickle.tenants (tenant_id, schema_name) VALUES (%s, %s)", (name, f"jobs_{name}")
            )
    return db


@pytest.fixture
def process(homed: Database, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "tasks.py").write_text(HANDLERS, encoding="utf-8")
    command = [sys.executable, "-m", "trickle", "supervisor", "run", "tasks", "--postgres-url", homed.url]
    child = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()}, stdin=subprocess.DEVNULL
    )
    yield child
    child.kill()
    child.wait()


def test_from_a_shell(homed: Database, trickle: Trickle, process: subprocess.Popen[bytes]) -> None:
    assert [row["tenant"] for row in trickle.json("supervisor", "tenants")] == ["a", "b"]
    with homed.connect() as owner:
        said = "SELECT count(*) FROM pgtrickle.tenant_supervisors WHERE tenants = 2"
        until(lambda: owner.execute(said).fetchone() == (1,), seconds=30, what="it is up")
    trickle("supervisor", "promote", "b")
    until(lambda: [row["tenant"] for row in trickle.json("supervisor", "hot")] == ["b"], seconds=30)
    assert trickle.json("supervisor", "hot")[0]["process_pid"] == process.pid
    assert trickle.json("supervisor", "hot", "--relay-group-id", "other") == []
    assert "It is hot since" in trickle("supervisor", "explain", "b").stdout
    trickle("supervisor", "demote", "b")
    until(lambda: trickle.json("supervisor", "hot") == [], seconds=30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_without_a_supervisor(homed: Database, trickle: Trickle) -> None:
    refused = trickle("supervisor", "promote", "a", expect=1)
    assert "no supervisor of group 'default' is running" in refused.stderr
    assert "nothing to do" in trickle("supervisor", "explain", "a").stdout
    assert "no tenant 'nobody'" in trickle("supervisor", "explain", "nobody", expect=1).stderr
    assert "no tenant is hot" in trickle("supervisor", "hot").stderr


def test_a_module_that_is_not_there(homed: Database, trickle: Trickle) -> None:
    assert "no_such_module" in trickle("supervisor", "run", "no_such_module", expect=78).stderr
