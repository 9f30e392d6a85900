"""A process beside that of a hot tenant: a worker for its stream tables, or a relay for its pipelines.

    hot ──fork, before it has a thread──▶ companion ──waits for a word──▶ run_worker or run_relay ──end──▶ gone

It is forked when the process of the tenant is still single-threaded, and costs next to nothing until it is told to
begin. It ends on SIGTERM, as workers and relays do, and gets that from the kernel when the process of the tenant dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from enum import StrEnum
from pathlib import Path
from typing import Any

from trickle.errors import TrickleError
from trickle.logs import event
from trickle.relay.secrets import Access
from trickle.supervisor.options import EXIT_CONFIGURATION, RelayOptions, WorkerOptions, new_instance_id
from trickle.tenants import wire
from trickle.tenants.kinds import RELAY_CONNECTIONS
from trickle.worker.isolate import die_with_parent

_BEGIN = b"b"
PRELOADED = ("trickle.supervisor.loop", "trickle.supervisor.relay_loop")
"""What the process that all are forked from has imported, so that each of them need not."""


log = logging.getLogger(__name__)


class Role(StrEnum):
    """What it does."""

    REFRESHES = "refreshes"
    PIPELINES = "pipelines"


class Companion:
    """The side of the process of the tenant."""

    def __init__(self, role: Role, pid: int, conn: socket.socket) -> None:
        self.role = role
        self.was_asked = False
        self._has_begun = False
        self._is_over = False
        self._pid = pid
        self._conn = conn

    @classmethod
    def fork(cls, role: Role, plan: wire.Plan, not_ours: socket.socket) -> Companion:
        """One that waits; `not_ours` is what it must not keep open."""
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                not_ours.close()
                ours.close()
                code = _live(role, plan, theirs, parent)
            except (TrickleError, ImportError) as error:
                code = EXIT_CONFIGURATION
                event(log, logging.ERROR, "cannot work", tenant=plan.tenant.id, role=role, error=str(error))
            except BaseException:
                log.exception("what works on the %s of tenant %s crashed", role, plan.tenant.id)
            finally:
                os._exit(code)  # everything else in this memory is a copy of the parent's
        theirs.close()
        return cls(role, pid, ours)

    def begin(self) -> None:
        """Have it work."""
        if not self._has_begun:
            self._has_begun = True
            with contextlib.suppress(OSError):
                self._conn.send(_BEGIN)

    def ask(self) -> None:
        """To end when it has finished what it has in hand; asked again, at once."""
        self.was_asked = True
        if self._is_over:
            return
        if self._has_begun:
            os.kill(self._pid, signal.SIGTERM)
        else:
            self._conn.shutdown(socket.SHUT_WR)

    async def ended(self) -> int:
        """Wait for its end; its exit code."""
        self._conn.setblocking(False)
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_recv(self._conn, 1)
        self._is_over = True
        self._conn.close()
        _, status = await asyncio.to_thread(os.waitpid, self._pid, 0)
        return os.waitstatus_to_exitcode(status)


def roles(plan: wire.Plan) -> list[Role]:
    """Those that a tenant may have."""
    wanted = {Role.REFRESHES: plan.refreshes, Role.PIPELINES: plan.pipelines}
    return [role for role in Role if wanted[role]]


def _live(role: Role, plan: wire.Plan, conn: socket.socket, parent: int) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if not die_with_parent(parent, signal.SIGTERM) or not conn.recv(1):
        return 0
    common: dict[str, Any] = {
        "url": plan.tenant.url,
        "group_id": plan.group_id,
        "instance_id": f"{plan.tenant.id}-{new_instance_id()}",
        "drain_seconds": plan.drain_seconds,
        "log_format": plan.log_format,
        "log_level": plan.log_level,
    }
    match role:
        case Role.REFRESHES:
            from trickle.supervisor.loop import run_worker

            return run_worker(WorkerOptions(children=1, **common))
        case Role.PIPELINES:
            from trickle.supervisor.relay_loop import run_relay

            return run_relay(RelayOptions(connections=RELAY_CONNECTIONS, access=access(plan), **common))


def access(plan: wire.Plan) -> Access:
    """The secrets of a tenant's pipelines: files in a directory of its own, and nothing of the environment."""
    return Access(None, (Path(plan.secrets),) if plan.secrets is not None else None)
