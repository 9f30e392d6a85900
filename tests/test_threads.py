"""Threads that are used again: work is done whoever comes when, and forked processes have none of their parent's."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from trickle import threads
from trickle.threads import in_background


def until(is_so: Callable[[], bool]) -> None:
    patience = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < patience
        time.sleep(0.002)


def test_a_thread_is_used_again() -> None:
    seen: SimpleQueue[int] = SimpleQueue()
    threads_used = set()
    for _ in range(100):
        in_background(lambda: seen.put(threading.get_ident()))
        threads_used.add(seen.get(timeout=5))
        time.sleep(0.005)  # it becomes idle
    assert len(threads_used) < 10


def test_none_waits_for_another() -> None:
    """However many hang: each has a thread of its own."""
    together = threading.Barrier(51)
    for _ in range(50):
        in_background(lambda: together.wait(10))
    together.wait(10)
    until(lambda: len(threads._idle) >= 50)


def test_an_idle_thread_ends_and_work_that_comes_at_that_moment_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_IDLE_SECONDS", 0.001)
    done = threading.Semaphore(0)
    for n in range(500):
        in_background(done.release)
        time.sleep(0.0008 + n % 5 * 0.0002)
    assert all(done.acquire(timeout=5) for _ in range(500))
    until(lambda: not threads._idle)


def test_an_idle_thread_keeps_nothing_alive() -> None:
    class Large:
        pass

    gone = threading.Event()
    held = Large()
    weakref.finalize(held, gone.set)
    in_background(lambda held=held: None)
    del held
    assert gone.wait(5)


def test_a_forked_process_has_threads_of_its_own() -> None:
    in_background(lambda: None)
    until(lambda: bool(threads._idle))
    child = os.fork()
    if child == 0:
        is_done = threading.Event()
        in_background(is_done.set)
        os._exit(0 if is_done.wait(5) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
