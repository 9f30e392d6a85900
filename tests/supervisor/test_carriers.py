"""Real carriers: one that hangs or dies is replaced; one that was only not listened to is not."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import wait

import pytest
from support.databases import Database
from support.waiting import until

from trickle.clock import SystemClock
from trickle.supervisor.carrier import CarrierOptions
from trickle.supervisor.carriers import Carriers

SILENT_SECONDS = 2.5


@pytest.fixture
def carriers(db: Database) -> Iterator[Carriers]:
    made = Carriers(1, CarrierOptions(db.url), logging.NullHandler(), SystemClock(), SILENT_SECONDS)
    try:
        yield made
    finally:
        made.kill()


def pid_after_a_turn(carriers: Carriers) -> int | None:
    """What the loop of a relay does with them, and who carries now."""
    carriers.listen(wait(carriers.pipes(), 0.1))
    if carriers.look():
        carriers.carry(())
    pids = [child.pid for child in multiprocessing.active_children() if child.name == "relay-0"]
    return pids[0] if pids else None


def is_other(carriers: Carriers, before: int) -> bool:
    return pid_after_a_turn(carriers) not in (None, before)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_one_that_hangs_or_dies_is_replaced(carriers: Carriers, number: signal.Signals) -> None:
    pid = until(lambda: pid_after_a_turn(carriers))
    os.kill(pid, number)
    until(lambda: is_other(carriers, pid))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_that_has_nothing_to_do_is_left_alone(carriers: Carriers) -> None:
    pid = until(lambda: pid_after_a_turn(carriers))
    assert_stays(carriers, pid, SILENT_SECONDS + 2)


def test_whoever_was_stopped_himself_ends_nobody(carriers: Carriers) -> None:
    pid = until(lambda: pid_after_a_turn(carriers))
    os.kill(pid, signal.SIGSTOP)
    time.sleep(SILENT_SECONDS + 4)
    carriers.look()
    os.kill(pid, signal.SIGCONT)
    assert_stays(carriers, pid, 2)


def assert_stays(carriers: Carriers, pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert pid_after_a_turn(carriers) == pid
