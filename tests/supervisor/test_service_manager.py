"""What a service manager hears, on a real datagram socket.

Lies it would catch: ready said too early or twice; a watchdog fed for another process; a manager that is gone and ends
the instance.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from trickle.supervisor.service_manager import Expected, ServiceManager, expected


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Where it listens, and its end of the socket."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@trickle-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0", 1) if request.param == "abstract" else address)
        listening.setblocking(False)
        yield address, listening


def heard(listening: socket.socket) -> list[str]:
    said: list[str] = []
    while True:
        try:
            said.append(listening.recv(4096).decode())
        except BlockingIOError:
            return said


def test_each_thing_is_said_once(manager: tuple[str, socket.socket]) -> None:
    address, listening = manager
    ours = ServiceManager(Expected(address, watchdog_seconds=10))
    ours.status("owns 1 of 2\nstream tables")
    ours.status("owns 1 of 2 stream tables")
    ours.ready()
    ours.ready()
    for second in range(12):
        ours.turned(float(second))
    ours.reloading(3.5)
    ours.ready()
    ours.stopping()
    ours.close()
    ours.stopping()
    assert heard(listening) == [
        "STATUS=owns 1 of 2 stream tables",
        "READY=1",
        "WATCHDOG=1",
        "WATCHDOG=1",
        "WATCHDOG=1",
        "RELOADING=1\nMONOTONIC_USEC=3500000",
        "READY=1",
        "STOPPING=1",
    ]


def test_nobody_listens(tmp_path: Path) -> None:
    ours = ServiceManager(Expected(str(tmp_path / "gone")))
    ours.ready()
    ours.close()


@pytest.mark.parametrize(
    ("environment", "meant"),
    [
        ({}, Expected()),
        ({"NOTIFY_SOCKET": "relative"}, Expected()),
        ({"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, Expected("@a", 3.0)),
        ({"NOTIFY_SOCKET": "/a", "WATCHDOG_USEC": "3000000"}, Expected("/a", 3.0)),
        ({"NOTIFY_SOCKET": "/a", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, Expected("/a")),
        ({"NOTIFY_SOCKET": "/a", "WATCHDOG_USEC": "soon"}, Expected("/a")),
        ({"WATCHDOG_USEC": "3000000"}, Expected()),
    ],
)
def test_what_the_environment_says(environment: dict[str, str], meant: Expected) -> None:
    assert expected(environment, 7) == meant
