"""The first five minutes, as real processes: no URL, so the embedded server, and nothing left running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.server import require_server

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def newcomer(clean_environment: dict[str, str | None], tmp_path: Path) -> Iterator[Command]:
    """`trickle …` in a home of its own, whose server is stopped afterwards."""
    require_server()
    inherited = {name: value for name, value in os.environ.items() if name not in clean_environment}
    environment = {**inherited, "XDG_DATA_HOME": str(tmp_path)}

    def run(*words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "trickle", *words]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert result.returncode == expect, f"{words}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    try:
        yield run
    finally:
        subprocess.run([sys.executable, "-m", "trickle", "pg", "stop"], env=environment, check=False)


def test_from_nothing_to_a_stream_table(newcomer: Command) -> None:
    before = newcomer("list", expect=1)
    assert "started the embedded PostgreSQL" in before.stderr
    assert "trickle init" in before.stderr
    assert "started" not in newcomer("init").stderr
    created = newcomer("create", "numbers", "SELECT n, n * n AS square FROM generate_series(1, 3) AS n", "--json")
    assert json.loads(created.stdout)["name"] == "public.numbers"
    assert newcomer("verify", "--all").stdout.strip().endswith("1 of 1 stream tables equal their query")
    newcomer("pg", "stop")
    assert newcomer("pg", "status", expect=3).stdout
