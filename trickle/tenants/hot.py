"""The process of one hot tenant: a runner of its jobs, and a word to the supervisor now and then.

It begins with a fork of the nursery, knows nothing but what its socket tells it, and ends when it is told to or when
the socket ends: then the supervisor is gone, and another one takes the tenant over. Where its stream tables and
pipelines are worked on as well, companions do that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

from trickle.errors import Ours, TrickleError
from trickle.jobs.around import Proceed, watched
from trickle.jobs.context import GiveUp, JobContext
from trickle.jobs.registry import REGISTRY, Registry
from trickle.jobs.runner import JobRunner, RunnerOptions
from trickle.logs import event
from trickle.tenants import wire
from trickle.tenants.companion import Companion, roles
from trickle.tenants.here import Here, settle_here
from trickle.tenants.lookout import Lookout

log = logging.getLogger(__name__)

_ORPHAN_SECONDS = 5.0  # that jobs have to end when the supervisor is gone


def main(control: socket.socket) -> int:
    """Entry after the fork; the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    line = wire.read_line(control)
    if not line:
        return 0
    control.sendall(wire.encode("born", pid=os.getpid()))
    plan = wire.decode_plan(line)
    companions = [Companion.fork(role, plan, control) for role in roles(plan)]
    try:
        asyncio.run(TenantProcess(plan, control, REGISTRY, companions).live())
    except TrickleError as error:
        event(log, logging.ERROR, "supervisor.tenant_failed", tenant=plan.tenant.id, error=str(error))
        with contextlib.suppress(OSError):
            control.sendall(wire.encode("failed", error=str(error)))
        return 1
    except Exception:
        log.exception("the process of tenant %s crashed", plan.tenant.id)
        return 1
    return 0


class NoJobs:
    """In the place of a runner where no handler is registered."""

    active = 0
    is_busy = False

    def __init__(self) -> None:
        self.signed_in = asyncio.Event()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        self._stopped.set()

    async def run(self) -> None:
        self.signed_in.set()
        await self._stopped.wait()


class TenantProcess:
    """A runner with what stands around it."""

    def __init__(
        self, plan: wire.Plan, control: socket.socket, registry: Registry, companions: Sequence[Companion] = ()
    ) -> None:
        self._plan = plan
        self._control = control
        self._companions = companions
        self._tenant = plan.tenant
        self._ended: Counter[str] = Counter()
        self._mismatched = 0
        registry = registry.copy()
        registry.around(self._around)
        self._here = _here_of(plan, registry)
        options = RunnerOptions(concurrency=plan.concurrency, batch=plan.batch, drain_seconds=plan.drain_seconds)
        self._runner = (
            JobRunner(plan.tenant.url, registry, options, plan.tenant.schema) if registry.handlers else NoJobs()
        )

    async def live(self) -> None:
        """Until told to end. Raises Ours when a companion has ended by itself."""
        settle_here(self._here)
        self._lookout = Lookout(self._plan, self._companions, self._stop)
        self._control.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=self._control, limit=wire.LONGEST_LINE)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        helpers = [asyncio.create_task(self._hear(reader)), asyncio.create_task(self._tell(writer))]
        try:
            await self._runner.run()
            await self._lookout.ended()
            if self._lookout.problem is not None:
                raise Ours(self._lookout.problem)
        finally:
            for helper in helpers:
                helper.cancel()
            with contextlib.suppress(OSError):
                self._say(writer)
                if self._lookout.problem is not None:
                    writer.write(wire.encode("failed", error=self._lookout.problem))
                writer.write(wire.encode("ended"))
                await writer.drain()
            await self._here.close()

    def _stop(self) -> None:
        """End when everything in hand has; told again, at once."""
        self._runner.stop()
        self._lookout.ask()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        # One that dies with something unread leaves an error behind, and no end of the stream.
        with contextlib.suppress(ConnectionError):
            while await reader.readline():
                self._stop()
        # The supervisor is gone: whoever takes the tenant over should not find us for long.
        self._stop()
        await asyncio.sleep(_ORPHAN_SECONDS)
        self._stop()

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        await self._runner.signed_in.wait()
        writer.write(wire.encode("hot"))
        said: object = None
        while True:
            standing = (self._is_busy, self._runner.active)
            if standing != said or self._ended or self._mismatched:
                said = standing
                self._say(writer)
                await writer.drain()
            await asyncio.sleep(self._plan.report_seconds)

    @property
    def _is_busy(self) -> bool:
        return self._runner.is_busy or self._lookout.is_busy

    def _say(self, writer: asyncio.StreamWriter) -> None:
        ended, self._ended = self._ended, Counter()
        mismatched, self._mismatched = self._mismatched, 0
        writer.write(
            wire.encode(
                "standing",
                is_busy=self._is_busy,
                active=self._runner.active,
                ended=ended,
                mismatched=mismatched,
            )
        )

    async def _around(self, context: JobContext, proceed: Proceed) -> Any:
        """A job of another tenant is not begun, and every attempt is counted."""
        key = self._plan.tenant_key
        named = context.data.get(key) if key and isinstance(context.data, dict) else None
        if key and named != self._tenant.id:
            self._mismatched += 1
            event(
                log,
                logging.WARNING,
                "supervisor.handler.payload_mismatch",
                tenant=self._tenant.id,
                queue=context.queue,
                job=context.id,
                named=named,
            )
            raise GiveUp(f"payload_mismatch: {key} of the payload is {named!r}, and this is tenant {self._tenant.id!r}")
        return await watched(proceed, lambda outcome: self._ended.update((f"{outcome} {context.queue}",)))


def _here_of(plan: wire.Plan, registry: Registry) -> Here:
    """Connections for coroutines and for functions, of which there may be so many together."""
    kinds = {handler.is_coroutine for handler in registry.handlers.values()}
    most = plan.tenant_pool_max
    if len(kinds) == 2 and most > 1:
        return Here(plan.tenant, most - most // 2, most // 2)
    return Here(plan.tenant, most if True in kinds else 0, 0 if True in kinds else most)
