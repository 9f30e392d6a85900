"""`trickle pg`: what a person types, and what a program reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from support.server import require_server

from trickle import embedded

Command = subprocess.CompletedProcess[str]


def pg(*words: str, stdin: str = "", **environment: str) -> Command:
    """Run the command as a process of its own, as a shell does."""
    program = "from trickle.cli.pg import pg_app; pg_app()"
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_start_status_psql_stop(data_dir: Path) -> None:
    started = json.loads(pg("start", "--data-dir", str(data_dir), "--json").stdout)
    assert started["running"] and started["data_dir"] == str(data_dir)
    with psycopg.connect(started["url"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert json.loads(pg("start", "--data-dir", str(data_dir), "--json").stdout) == started

    seen = pg("status", "--data-dir", str(data_dir))
    assert seen.returncode == 0
    assert str(started["port"]) in seen.stdout and started["url"] in seen.stdout

    assert pg("psql", "--data-dir", str(data_dir), "-AtX", "-c", "SELECT 6 * 7").stdout == "42\n"
    assert pg("psql", "--data-dir", str(data_dir), "-AtX", stdin="SELECT 6 * 8;").stdout == "48\n"

    assert pg("stop", "--data-dir", str(data_dir)).returncode == 0
    gone = pg("status", "--data-dir", str(data_dir), "--json")
    assert gone.returncode == 3
    assert json.loads(gone.stdout)["running"] is False


def test_the_port_can_be_chosen(data_dir: Path) -> None:
    free = embedded.start(data_dir).port
    embedded.stop(data_dir)
    started = json.loads(pg("start", "--data-dir", str(data_dir), "--port", str(free), "--json").stdout)
    assert started["port"] == free


def test_the_users_own_directory_is_the_default(tmp_path: Path) -> None:
    require_server()
    own = {"XDG_DATA_HOME": str(tmp_path)}
    try:
        started = json.loads(pg("start", "--json", **own).stdout)
        assert Path(started["data_dir"]).is_relative_to(tmp_path)
        assert pg("status", **own).returncode == 0
    finally:
        stopped = pg("stop", "--mode", "immediate", **own)
    assert stopped.returncode == 0


def test_psql_without_a_server_fails_and_says_what_to_do(data_dir: Path) -> None:
    answer = pg("psql", "--data-dir", str(data_dir))
    assert answer.returncode != 0
    assert "trickle pg start" in answer.stderr


def test_stopping_nothing_is_no_error(data_dir: Path) -> None:
    answer = pg("stop", "--data-dir", str(data_dir))
    assert answer.returncode == 0
    assert "no server was running" in answer.stderr


@pytest.mark.parametrize("word", ["start", "stop", "status", "psql"])
def test_every_verb_has_help(word: str) -> None:
    answer = pg(word, "--help")
    assert answer.returncode == 0
    assert "--data-dir" in answer.stdout
