"""Where the processes of tenants come from: a process that has imported the handlers, and knows no tenant.

    supervisor ──the end of a socket──▶ nursery ──fork──▶ process of a tenant ◀──its plan, over that socket── supervisor

A process forked from the supervisor would have the memory of all tenants, their credentials among it. The nursery has
none, so what is forked from it knows one tenant: that which it is told of over its own socket. To fork takes a
millisecond, because everything is imported already; the collector is told to leave that alone.

What runs there is `cradle`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Sequence

from trickle.errors import ConfigurationError, Ours
from trickle.tenants import wire
from trickle.tenants.listing import OURS

# Ours: what we and the service manager say to each other is among it.
_NOT_HANDED_ON = (OURS, "NOTIFY_SOCKET", "WATCHDOG_")


class Nursery:
    """The supervisor's side of it."""

    def __init__(self, modules: Sequence[str], log_format: str, log_level: str, preloaded: Sequence[str] = ()) -> None:
        self._modules = modules
        self._preloaded = ",".join(preloaded)
        self._logging = (log_format, log_level)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._opening = asyncio.Lock()

    async def start(self) -> None:
        """Import everything, before anybody needs it.

        Raises:
            ConfigurationError: the modules cannot be imported, or register no handler; it has said why.
        """
        try:
            await self._open()
        except OSError as error:
            self.close()
            raise ConfigurationError(f"the handlers of {', '.join(self._modules)} cannot be used: {error}") from error

    async def fork(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A process that waits for its plan; the nursery itself is started where there is none.

        Raises:
            Ours: it cannot be started, or has ended.
        """
        ours, theirs = socket.socketpair()
        try:
            nursery = await self._open()
            try:
                socket.send_fds(nursery, [wire.FORK], [theirs.fileno()])
            except OSError:
                self.close()
                socket.send_fds(await self._open(), [wire.FORK], [theirs.fileno()])
        except OSError as error:
            ours.close()
            self.close()
            raise Ours(f"the processes of tenants cannot be started: {error}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        return await asyncio.open_connection(sock=ours, limit=wire.LONGEST_LINE)

    async def _open(self) -> socket.socket:
        async with self._opening:
            return self._socket or await self._started()

    async def _started(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        told = (str(theirs.fileno()), *self._logging, self._preloaded)
        command = [sys.executable, "-m", "trickle.tenants.cradle", *told, *self._modules]
        # It imports the modules from where we did. What is ours of the environment, no tenant is to see.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_HANDED_ON)}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        try:
            self._process = subprocess.Popen(
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )
        finally:
            theirs.close()
        ours.setblocking(False)
        if await asyncio.get_running_loop().sock_recv(ours, 1) != wire.READY:
            ours.close()
            raise OSError("they could not be imported, or register nothing")
        ours.setblocking(True)
        self._socket = ours
        return ours

    def close(self) -> None:
        """Let it end; the processes that came from it live on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
