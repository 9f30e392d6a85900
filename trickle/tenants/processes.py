"""The processes of hot tenants: start one, ask it to end, hear what it says, notice its end. It decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from trickle.errors import TrickleError
from trickle.tenants import wire
from trickle.tenants.nursery import Nursery


@dataclass(frozen=True, slots=True)
class Hot:
    """It runs."""

    tenant: str


@dataclass(frozen=True, slots=True)
class Said:
    """It tells how it stands."""

    tenant: str
    standing: wire.Standing


@dataclass(frozen=True, slots=True)
class Gone:
    """It has ended, or could not begin."""

    tenant: str
    problem: str | None  # None: it was asked to end, and has


News = Hot | Said | Gone


@dataclass(slots=True)
class _Process:
    writer: asyncio.StreamWriter
    listening: asyncio.Task[None] | None = None
    pid: int | None = None
    was_asked: bool = False


class Processes:
    """Those of one supervisor; `told` is called with everything that happens."""

    def __init__(self, nursery: Nursery, told: Callable[[News], None]) -> None:
        self._nursery = nursery
        self._told = told
        self._running: dict[str, _Process] = {}

    async def start(self, plan: wire.Plan) -> None:
        """Fork one; that it runs, or could not, is told later."""
        tenant = plan.tenant.id
        try:
            reader, writer = await self._nursery.fork()
        except TrickleError as error:
            self._told(Gone(tenant, str(error)))
            return
        process = self._running[tenant] = _Process(writer)
        writer.write(wire.encode_plan(plan))
        process.listening = asyncio.create_task(self._listen(tenant, reader, process))

    def ask(self, tenant: str) -> None:
        """To end when its jobs have; asked again, at once."""
        process = self._running.get(tenant)
        if process is not None:
            process.was_asked = True
            process.writer.write(b"stop\n")

    def kill(self, tenant: str) -> None:
        process = self._running.get(tenant)
        if process is None:
            return
        if process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and its companions
        process.writer.close()  # one that has not said who it is ends when nobody listens

    async def close(self) -> None:
        """End whatever still runs."""
        for tenant in list(self._running):
            self.kill(tenant)
        tasks = [process.listening for process in self._running.values() if process.listening is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, tenant: str, reader: asyncio.StreamReader, process: _Process) -> None:
        problem: str | None = "its process has ended"
        try:
            while line := await reader.readline():
                word = wire.decode(line)
                match word.pop("kind", None):
                    case "born":
                        process.pid = int(word["pid"])
                    case "hot":
                        self._told(Hot(tenant))
                    case "standing":
                        self._told(Said(tenant, wire.Standing(**word)))
                    case "failed":
                        problem = str(word["error"])
                    case "ended" if process.was_asked:
                        problem = None
        except (ConnectionError, ValueError) as error:  # it has died in the middle of a word
            problem = f"its process has ended: {error}"
        process.writer.close()
        del self._running[tenant]
        self._told(Gone(tenant, problem))
