"""The example of compose.yaml with its own commands, only without containers: from a job to what the relay prints.

Lies it would catch: an example that does nothing; a health check that asks where nobody answers; a service that does
not end when it is asked to.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.brokers import free_port
from support.databases import Database
from support.deployed import DEPLOY, document
from support.waiting import until

COMPOSE = DEPLOY / "compose"
SERVICES = document(DEPLOY / "compose.yaml")["services"]
OURS = ("worker", "relay", "supervisor")
# The port stands in the image; here all of them are on one host.
PORT = "9101"
SECONDS = 60.0


def statements() -> list[str]:
    """Of the example, without what is meant for psql."""
    text = (COMPOSE / "example.sql").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("\\") and not line.endswith("\\gset"))
    return [found.strip() for found in kept.split(";\n") if found.strip()]


def health_check(port: int) -> int:
    """That of the image; its exit code."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ +CMD (\[.*\])$", text, re.MULTILINE)
    _, *words = json.loads(command)
    asked = [sys.executable, *(word.replace(PORT, str(port)) for word in words)]
    return subprocess.run(asked, stderr=subprocess.DEVNULL, timeout=SECONDS).returncode


class Service:
    """One service, as compose would start it."""

    def __init__(self, name: str, url: str, output: Path) -> None:
        self.port = free_port()
        self.output = output / name
        words = [
            word.replace(PORT, str(self.port)).replace("0.0.0.0", "127.0.0.1") for word in SERVICES[name]["command"]
        ]
        known = {**os.environ, "TRICKLE_POSTGRES_URL": url, "PYTHONPATH": os.getcwd(), "PYTHONDONTWRITEBYTECODE": "1"}
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "trickle", *words],
                cwd=COMPOSE / "handlers" if "volumes" in SERVICES[name] else output,
                env=known,
                stdin=subprocess.DEVNULL,
                stdout=file,
            )

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


@pytest.fixture
def services(db: Database, tmp_path: Path) -> Iterator[dict[str, Service]]:
    with db.connect() as owner, ExitStack() as ends:
        for statement in statements():
            owner.execute(statement.encode())
        started: dict[str, Service] = {}
        for name in OURS:
            started[name] = Service(name, db.url, tmp_path)
            ends.callback(started[name].process.wait)
            ends.callback(started[name].process.kill)
        yield started


def test_an_order_arrives(db: Database, services: dict[str, Service]) -> None:
    for name, service in services.items():
        until(lambda service=service: health_check(service.port) == 0, seconds=SECONDS, what=f"{name} is healthy")
    printed = services["relay"].output

    def told() -> list[dict[str, object]]:
        *lines, _ = printed.read_text(encoding="utf-8").split("\n")  # the last one may not be whole
        return [row for line in lines for row in json.loads(line)["payload"]["inserted"]]

    until(told, seconds=SECONDS, what="the relay prints what changed")
    assert all(row.keys() == {"customer_id", "total", "orders"} for row in told())
    with db.connect() as owner:
        done = owner.execute("SELECT count(*) FROM jobs_acme.job WHERE state = 'completed'").fetchone()
        assert done is not None and done[0] >= 1
    assert {name: service.end() for name, service in services.items()} == dict.fromkeys(OURS, 0)
    assert {health_check(service.port) for service in services.values()} == {1}
