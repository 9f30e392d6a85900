"""Real processes: forked, killed by the hundred, cut off from their parent, and always reaped."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from support.waiting import until

from trickle import logs
from trickle.supervisor.children import Died, Nursery, Spoke
from trickle.worker import child, exits
from trickle.worker.bench import Limits
from trickle.worker.child import ChildOptions
from trickle.worker.protocol import Compile, Done, Failed, Hello

KILLS = 220
log = logging.getLogger("trickle.worker.test")


class Bench:
    """A workbench without a database; what it does is the test's."""

    def __init__(self, act: Callable[[Any, int], Any]) -> None:
        self.compile_program = act
        self.backend_pid = None
        self.is_lost = self.is_full = False
        self.met = set[int]()
        self.conn = None

    def close(self) -> None:
        """Nothing was opened."""


@pytest.fixture
def sink() -> io.StringIO:
    """The parent's log, as JSON lines."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    return stream


@pytest.fixture
def nursery(sink: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Nursery]]:
    """Makes nurseries whose children do what the test says in place of a compile."""
    made: list[Nursery] = []

    def make(act: Callable[[Any, int], Any]) -> Nursery:
        monkeypatch.setattr(child, "_open", lambda options: Bench(act))
        made.append(Nursery(ChildOptions("", Limits()), logging.getLogger().handlers[0]))
        return made[-1]

    yield make
    for nursery in made:
        nursery.close()


def listen(nursery: Nursery, seconds: float = 20.0) -> list[Spoke | Died]:
    """The next news."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        news = nursery.collect(wait(nursery.pipes(), 0.5))
        if news:
            return news
    raise AssertionError("no news from any child")


def expect(nursery: Nursery, kind: type) -> Any:
    item = listen(nursery)[0]
    found = item.answer if isinstance(item, Spoke) else item
    assert isinstance(found, kind), found
    return found


def lines(sink: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def chat(_: Any, number: int) -> Any:
    log.info("working", extra={"fields": {"number": number}})
    return SimpleNamespace(state="compiled", reason=None)


def test_jobs_answers_and_logs_travel(nursery: Callable[..., Nursery], sink: io.StringIO) -> None:
    children = nursery(chat)
    children.spawn(0)
    hello = expect(children, Hello)
    assert hello.pid == children.pid(0)
    assert children.memory_bytes(0) > 1_000_000
    for number in range(3):
        children.send(0, Compile(number))
        assert expect(children, Done).job == Compile(number)
    children.ask(0)
    assert expect(children, Died).code == exits.STOPPED
    assert [line["number"] for line in lines(sink) if line["message"] == "working"] == [0, 1, 2]
    assert {line["pid"] for line in lines(sink)} == {hello.pid}


def babble(_: Any, number: int) -> Any:
    """Logs short and long records without a pause, to be killed in the middle of one."""
    while True:
        log.info("babble", extra={"fields": {"text": "x" * (10 + 4000 * (number % 2))}})


def test_hundreds_of_kills_never_hang_logging(nursery: Callable[..., Nursery], sink: io.StringIO) -> None:
    """A killed child may hold its queue's lock or leave half a record; that must be nobody else's affair."""
    children = nursery(lambda conn, number: chat(conn, number) if number == 999 else babble(conn, number))
    children.spawn(0)
    expect(children, Hello)
    descriptors_before = psutil.Process().num_fds()
    for number in range(KILLS):
        children.spawn(1)
        expect(children, Hello)
        children.send(1, Compile(number))
        time.sleep(0.003 * (number % 4))
        children.kill(1)
        assert expect(children, Died).code == -signal.SIGKILL
    children.send(0, Compile(999))
    expect(children, Done)
    children.ask(0)
    assert expect(children, Died).code == exits.STOPPED
    said = lines(sink)
    assert any(line.get("number") == 999 for line in said), "the survivor is still heard"
    assert any(line["message"] == "babble" for line in said)
    assert psutil.Process().num_fds() <= descriptors_before + 2, "descriptors of the dead are given back"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("log-")]


def test_an_inherited_socket_is_closed_in_the_child(nursery: Callable[..., Nursery]) -> None:
    """A copy of the lock session's socket in a child would keep a dead parent's claims alive."""
    ours, peer = socket.socketpair()
    children = nursery(chat)
    children.spawn(0)
    expect(children, Hello)
    ours.close()
    peer.settimeout(5)
    assert peer.recv(1) == b"", "nobody else holds the other end"
    peer.close()


def test_signals_for_the_group_do_not_end_a_child(nursery: Callable[..., Nursery]) -> None:
    children = nursery(chat)
    pid = children.spawn(0)
    expect(children, Hello)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    children.send(0, Compile(1))
    assert isinstance(expect(children, Done), Done)


def test_a_crash_in_a_job_is_logged_with_its_traceback(nursery: Callable[..., Nursery], sink: io.StringIO) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("no such luck")

    children = nursery(explode)
    children.spawn(0)
    expect(children, Hello)
    children.send(0, Compile(1))
    assert expect(children, Failed).sqlstate == "XX000"
    children.ask(0)
    expect(children, Died)
    (line,) = [line for line in lines(sink) if line["level"] == "error"]
    assert "no such luck" in line["traceback"]


ORPHAN = """
import logging, os, sys, time
from trickle import logs
from trickle.supervisor.children import Nursery
from trickle.worker import child
from trickle.worker.bench import Limits
class Bench:
    backend_pid = None
child._open = lambda options: Bench()
nursery = Nursery(child.ChildOptions("", Limits()), logs.configure())
print(*(nursery.spawn(slot) for slot in range(3)), flush=True)
time.sleep(60)
"""


def test_children_die_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 3
    processes = [psutil.Process(pid) for pid in pids]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not any(_runs(process) for process in processes), seconds=5, what="no orphan is left")


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
