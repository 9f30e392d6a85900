"""The life of a relay subprocess: cut loose, then carry what it is told until it is to leave.

It never decides what is its own: the instance holds the claims and says so. When the instance is gone, so is it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe

from trickle.db.pool import make_pool
from trickle.logs import ChildChannel
from trickle.relay.assemble import Assembly
from trickle.relay.bells import Bells
from trickle.relay.engine import Engine
from trickle.relay.protocol import Carry, Ended, Leave, Report
from trickle.relay.secrets import Access
from trickle.worker import exits
from trickle.worker.isolate import die_with_parent, drop_descriptors, ignore_signals

log = logging.getLogger(__name__)

REPORT_SECONDS = 1.0
# New containers before the collector looks at the young ones. Messages come by the thousand and hold no cycles.
_COLLECT_AFTER = 50_000


@dataclass(frozen=True, slots=True)
class CarrierOptions:
    """What a carrier is told at birth."""

    url: str
    role: str = "relay"  # of its sessions, in their names
    connections: int = 4  # beside the two that hear the bells
    direct_url: str | None = None  # for those two, when `url` leads through a pooler
    access: Access = field(default_factory=Access)


def main(options: CarrierOptions, pipe: Pipe, channel: ChildChannel | None, parent_pid: int) -> None:
    """Entry after the fork; leaves the process with one of the codes in `exits`."""
    ignore_signals()
    if not die_with_parent(parent_pid):
        os._exit(exits.STOPPED)
    drop_descriptors((pipe.fileno(), *(channel.descriptors if channel else ())))
    if channel is not None:
        channel.adopt()
    # Else every collection would go through all that was imported, and take pages of the parent's for its own.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    try:
        asyncio.run(_live(options, pipe))
        code = exits.STOPPED
    except (EOFError, BrokenPipeError, ConnectionResetError):
        code = exits.STOPPED
    except Exception:
        log.exception("a carrier crashed")
        code = exits.CRASHED
    if channel is not None:
        channel.flush()
    sys.stdout.flush()
    # Everything else in this memory is a copy of the parent's; nothing of it may run its clean-up here.
    os._exit(code)


async def _live(options: CarrierOptions, pipe: Pipe) -> None:
    bells = Bells(options.direct_url or options.url, options.role)
    async with make_pool(options.url, role=options.role, most=options.connections) as pool:
        assembly = Assembly(pool, bells, options.url, options.access)
        engine = Engine(assembly.assemble, assembly.fingerprint, lambda *how: pipe.send(Ended(*how)))
        tasks = [asyncio.create_task(bells.run()), asyncio.create_task(_report(engine, pipe))]
        try:
            await _obey(engine, pipe)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _obey(engine: Engine, pipe: Pipe) -> None:
    """Command after command until it is to leave."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(pipe.fileno(), readable.set)
    try:
        while True:
            await readable.wait()
            readable.clear()
            while pipe.poll():
                match pipe.recv():
                    case Carry(rows):
                        engine.carry(rows)
                    case Leave():
                        await engine.leave()
                        return
    finally:
        loop.remove_reader(pipe.fileno())


async def _report(engine: Engine, pipe: Pipe) -> None:
    """That it lives, and what is new: most pipelines of many have nothing to do."""
    told: dict[str, tuple[object, ...]] = {}
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        facts = {name: standing.facts for name, standing in engine.standings.items()}
        new = {name: engine.standings[name] for name, fact in facts.items() if told.get(name) != fact}
        told = facts
        pipe.send(Report(new))
