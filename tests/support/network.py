"""A network of two: the tests' own, and a namespace from which a server is reached over a wire that can be cut.

A cut takes the server's address away: packets are lost, nobody is told, and the kernels' time-outs are all there is.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
from functools import partial
from typing import Self

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from support.partition import Forwarder

_numbers = itertools.count()


class Namespace:
    """A network namespace with one wire to the server of `tcp_url`; skips the test where that is not permitted."""

    def __init__(self, tcp_url: str) -> None:
        # A network set apart for tests of networks (198.18.0.0/15, RFC 2544), which no host should be in, unlike those
        # for documentation; four addresses for each wire, apart in parallel test processes.
        low = (os.getpid() + next(_numbers)) % 64 * 4
        self._name = f"trickle{os.getpid()}x{low}"
        self._here, self._there = f"198.18.7.{low + 1}/30", f"198.18.7.{low + 2}/30"
        self._wire = f"tk{low}h", f"tk{low}t"
        self._server_url = tcp_url
        self._forwarder: Forwarder | None = None
        self.prefix = ["ip", "netns", "exec", self._name]
        self.url = ""

    def __enter__(self) -> Self:
        if shutil.which("ip") is None and os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail("CI is set, so a missing `ip` is a failure: install the package iproute2")
        here, there = self._wire
        try:
            _ip("netns", "add", self._name)
            _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self._name)
            _ip("addr", "add", self._here, "dev", here)
            _ip("link", "set", here, "up")
            for words in (("addr", "add", self._there, "dev", there), ("link", "set", there, "up")):
                _ip("-n", self._name, *words)
        except (OSError, subprocess.CalledProcessError) as error:
            self._remove()
            pytest.skip(f"a network namespace cannot be made here: {error}")
        given = conninfo_to_dict(self._server_url)
        address = self._here.partition("/")[0]
        door = socket.create_server((address, 0))
        self.url = make_conninfo(self._server_url, host=address, port=door.getsockname()[1])
        self._forwarder = Forwarder(door, partial(socket.create_connection, (given["host"], int(given["port"] or 0))))
        self._forwarder.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        if self._forwarder is not None:
            self._forwarder.__exit__(*details)
        self._remove()

    def cut(self) -> None:
        _ip("addr", "del", self._here, "dev", self._wire[0])

    def heal(self) -> None:
        _ip("addr", "add", self._here, "dev", self._wire[0])

    def _remove(self) -> None:
        if shutil.which("ip") is not None:
            subprocess.run(["ip", "link", "del", self._wire[0]], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "del", self._name], check=False, capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
