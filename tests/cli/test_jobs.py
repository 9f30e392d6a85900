"""`trickle jobs`: a runner of a module's handlers, and looks at queues that change them only where they say so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from support.brokers import free_port
from support.databases import Database
from support.waiting import until

from .conftest import Trickle

TASKS = """
import trickle

@trickle.job("sums")
def add(data):
    if data == [0]:
        raise ValueError("nothing to add")
    return sum(data)
"""


@pytest.fixture
def queued(db: Database) -> Database:
    with db.connect() as owner:
        owner.execute("SELECT pgtrickle.enqueue('sums', '[1, 2]'), pgtrickle.enqueue('sums', '[0]', retry_limit => 0)")
        owner.execute("SELECT pgtrickle.schedule_job('daily', '@daily', 'sums', '[3]')")
    return db


def end(db: Database, job: int, state: str) -> None:
    with db.connect() as owner:
        owner.execute("UPDATE pgtrickle.job SET state = %s WHERE id = %s", (state, job))


def test_a_module_is_run_until_told_to_stop(queued: Database, trickle: Trickle, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS, encoding="utf-8")
    port = free_port()
    words = ("jobs", "run", "tasks", "--concurrency", "2", "--metrics-port", str(port), "--postgres-url", queued.url)
    child = subprocess.Popen(
        [sys.executable, "-m", "trickle", *words], cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    try:
        until(lambda: {job["state"] for job in trickle.json("jobs", "list", "sums")} == {"completed", "failed"})
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        assert 'pg_trickle_job_attempts_total{outcome="completed",queue="sums"} 1.0' in text
        assert 'pg_trickle_job_attempts_total{outcome="failed",queue="sums"} 1.0' in text
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
    assert "nothing to add" in trickle("jobs", "list", "--state", "failed").stdout
    assert trickle.json("jobs", "show", "1")["output"] == 3


def test_what_cannot_be_run_is_said(queued: Database, trickle: Trickle, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no module nowhere.tasks" in trickle("jobs", "run", "nowhere.tasks", expect=78).stderr
    (tmp_path / "empty_tasks.py").write_text("", encoding="utf-8")
    assert "registers no handler" in trickle("jobs", "run", "empty_tasks", expect=78).stderr


def test_queues_jobs_and_schedules_are_shown(queued: Database, trickle: Trickle) -> None:
    [queue] = trickle.json("jobs", "status")
    assert (queue["queue"], queue["ready"], queue["failed"]) == ("sums", 2, 0)
    assert "sums" in trickle("jobs", "status").stdout
    assert [job["id"] for job in trickle.json("jobs", "list", "--most", "1")] == [2]
    assert trickle.json("jobs", "list", "other") == []
    assert "no such jobs" in trickle("jobs", "list", "other").stderr
    shown = trickle.json("jobs", "show", "1")
    assert (shown["data"], shown["state"], shown["session_pid"]) == ([1, 2], "created", None)
    assert "expire_in" in trickle("jobs", "show", "1").stdout
    [schedule] = trickle.json("jobs", "schedules")
    assert (schedule["schedule_name"], schedule["cron"], schedule["next_on"]) == ("daily", "@daily", None)
    assert "daily" in trickle("jobs", "schedules").stdout


def test_nothing_is_there_yet(trickle: Trickle) -> None:
    assert "enqueue" in trickle("jobs", "status").stderr
    assert "schedule_job" in trickle("jobs", "schedules").stderr


def test_a_hand_is_taken(queued: Database, trickle: Trickle) -> None:
    trickle("jobs", "cancel", "1")
    assert trickle.json("jobs", "show", "1")["state"] == "cancelled"
    assert "has not ended" in trickle("jobs", "cancel", "1", expect=1).stderr
    trickle("jobs", "retry", "1")
    assert trickle.json("jobs", "show", "1")["state"] == "retry"
    assert "failed or was cancelled" in trickle("jobs", "retry", "1", expect=1).stderr
    end(queued, 2, "failed")
    assert "2 are tried again" in trickle("jobs", "redrive", "sums", "--to", "again").stderr
    assert [job["queue"] for job in trickle.json("jobs", "list")] == ["again", "again"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "7"), "there is no job 7"),
        (("cancel", "7"), "there is no job 7"),
        (("retry", "7"), "there is no job 7"),
        (("list", "--state", "asleep"), "no such state: asleep"),
    ],
)
def test_what_is_not_there_is_said(trickle: Trickle, words: tuple[str, ...], says: str) -> None:
    assert says in trickle("jobs", *words, expect=1).stderr


def test_the_jobs_of_another_schema(queued: Database, trickle: Trickle) -> None:
    with queued.connect() as owner:
        owner.execute("SELECT pgtrickle.create_job_schema('jobs_a')")
        owner.execute("SELECT jobs_a.enqueue('mine')")
    assert [job["queue"] for job in trickle.json("jobs", "list", "--schema", "jobs_a")] == ["mine"]
    assert [row["queue"] for row in trickle.json("jobs", "status", "--schema", "jobs_a")] == ["mine"]
    (job,) = trickle.json("jobs", "list", "--schema", "jobs_a")
    trickle("jobs", "cancel", str(job["id"]), "--schema", "jobs_a")
    assert trickle.json("jobs", "show", str(job["id"]), "--schema", "jobs_a")["state"] == "cancelled"
    assert {job["state"] for job in trickle.json("jobs", "list")} == {"created"}
    refused = trickle("jobs", "status", "--schema", "nowhere", expect=1)
    assert "nowhere" in refused.stderr and "create_job_schema" in refused.stderr
