"""The little supervisor of the demo: replaces who is gone, gives up on who cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.databases import Database
from support.waiting import until

from trickle.demo.workers import Workers
from trickle.errors import Ours


@pytest.fixture
def workers(db: Database, tmp_path: Path) -> Iterator[Workers]:
    started = Workers(db.url, tmp_path)
    yield started
    started.stop()


@pytest.mark.chaos
def test_a_killed_worker_is_replaced_under_a_new_name_after_a_pause(workers: Workers) -> None:
    workers.start(2)
    assert workers.running == ("worker-1", "worker-2")
    workers.kill("worker-1", now=100.0)
    workers.tend(100.5)
    assert workers.running == ("worker-2",)
    workers.tend(102.5)
    assert workers.running == ("worker-3", "worker-2")


def test_a_worker_that_can_never_work_ends_the_demo_with_its_own_words(empty_db: Database, tmp_path: Path) -> None:
    """There is no catalog, so starting it again would not help."""
    workers = Workers(empty_db.url, tmp_path)
    workers.start(1)

    def complaint() -> str:
        try:
            workers.tend(0.0)
        except Ours as error:
            return error.message
        return ""

    try:
        said = until(complaint, seconds=60, what="the worker gives up")
    finally:
        workers.stop()
    assert "worker-1 ended by itself with exit code 78" in said
