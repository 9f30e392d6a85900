"""A network that can be cut: it stands between clients and the server, and stops forwarding when told to.

Nothing is closed by a cut, and connections are accepted as before: like behind a switch that drops packets, nobody
on either side hears anything. After it is healed what was under way arrives.
"""

from __future__ import annotations

import selectors
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CHUNK = 65536
_TURN_SECONDS = 0.02


class Forwarder:
    """Accepts on one socket and passes everything on to another address, until it is told to stop."""

    def __init__(self, door: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self._server = door
        self._connect = connect
        self._server.listen()
        self._server.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._flows = threading.Event()
        self._flows.set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._flows.set()
        self._thread.join(10)
        self._server.close()

    def cut(self) -> None:
        self._flows.clear()

    def heal(self) -> None:
        self._flows.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._flows.wait()
            for key, _ in self._selector.select(_TURN_SECONDS):
                if not self._flows.is_set():
                    break
                if key.fileobj is self._server:
                    self._accept()
                else:
                    self._forward(key.fileobj, key.data)  # type: ignore[arg-type]

    def _accept(self) -> None:
        client, _ = self._server.accept()
        try:
            behind = self._connect()
        except OSError:
            client.close()
            return
        self._selector.register(client, selectors.EVENT_READ, behind)
        self._selector.register(behind, selectors.EVENT_READ, client)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        if source.fileno() < 0:
            return  # closed a moment ago, because its other end was
        try:
            data = source.recv(_CHUNK)
            target.sendall(data)
        except OSError:
            data = b""
        if not data:
            for end in (source, target):
                self._selector.unregister(end)
                end.close()


class Partition(Forwarder):
    """One door to a server, as a unix socket of its own."""

    def __init__(self, url: str) -> None:
        given = conninfo_to_dict(url)
        name = f".s.PGSQL.{given['port']}"
        self._folder = tempfile.TemporaryDirectory(prefix="p")
        self.url = make_conninfo(url, host=self._folder.name)
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(Path(self._folder.name) / name))
        super().__init__(door, partial(_connect_unix, f"{given['host']}/{name}"))

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        self._folder.cleanup()


def _connect_unix(path: str) -> socket.socket:
    behind = socket.socket(socket.AF_UNIX)
    try:
        behind.connect(path)
    except OSError:
        behind.close()
        raise
    return behind
