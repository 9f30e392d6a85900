"""What happens to a group of instances: a random sequence of failures, of which several last at the same time.

    for one         kill -9 (another starts in its place) · SIGSTOP and SIGCONT · its network is cut and healed ·
                    its lock session is ended · any of its sessions is ended
    for all         the server restarts, properly or by a crash · the server becomes a standby and is promoted

At most two of a kind are unwell at any time, so that somebody can take over.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from support.network import Namespace
from support.partition import Partition
from support.waiting import until

from chaos.claimed import Kind
from chaos.conftest import Instance, Start
from trickle import embedded

SETTINGS: dict[str, embedded.Setting] = {"fsync": False, "shared_buffers": "32MB"}
_MOST_IMPAIRED = 2


@contextmanager
def own_server() -> Iterator[embedded.Server]:
    """A server to be maltreated, at a path short enough for its socket to stay where it is."""
    with tempfile.TemporaryDirectory(prefix="t") as short:
        directory = Path(short) / "s"
        try:
            yield embedded.start(directory, settings=SETTINGS, die_with_parent=True)
        finally:
            embedded.stop(directory, "immediate")


@dataclass
class Member:
    """One instance and its way to the server."""

    name: str
    kind: Kind
    instance: Instance
    network: Namespace | Partition
    impaired_until: float | None = None
    mend: Callable[[], None] | None = None


@dataclass
class Havoc:
    """The group, and what is done to it."""

    server: embedded.Server
    start: Start
    draw: random.Random
    stack: ExitStack
    members: list[Member] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    _number: int = 0

    def start_member(self, kind: Kind, network: Namespace | Partition | None = None) -> None:
        self._number += 1
        name = f"{kind.runs}-{self._number}"
        reached = network or self.stack.enter_context(_network(self.server))
        options = {"instance_id": name, "children": 1, "discovery_seconds": 30, **kind.options}
        prefix = reached.prefix if isinstance(reached, Namespace) else []
        instance = self.start(reached.url, kind.runs, prefix, **options)
        self.members.append(Member(name, kind, instance, reached))

    def run(self, seconds: float) -> None:
        """Failures for this long, with one promotion in the middle; then everything is mended."""
        ends_at = time.monotonic() + seconds
        promotes_at = time.monotonic() + seconds / 2
        deck: list[Callable[[], None]] = []
        while time.monotonic() < ends_at:
            self._mend_what_is_due(time.monotonic())
            if promotes_at is not None and time.monotonic() > promotes_at:
                promotes_at = float("inf")
                self._be_standby_and_promote()
            if not deck:
                deck = [self._kill, self._kill, self._freeze, self._freeze, self._cut, self._cut]
                deck += [self._end_lock_session, self._end_any_session, self._restart]
                self.draw.shuffle(deck)
            deck.pop()()
            self._assert_alive()
            time.sleep(self.draw.uniform(0.2, 2.5))
        self._mend_what_is_due(float("inf"))
        self._assert_alive()

    def _impair(self, what: str, harm: Callable[[Member], None], mend: Callable[[Member], None]) -> None:
        member = self.draw.choice(self.members)
        unwell = [other for other in self.members if other.kind is member.kind and other.mend is not None]
        if member in unwell or len(unwell) >= _MOST_IMPAIRED:
            return
        harm(member)
        member.impaired_until = time.monotonic() + self.draw.uniform(0.5, 8)
        member.mend = lambda: mend(member)
        self.done.append(f"{what} {member.name}")

    def _mend_what_is_due(self, now: float) -> None:
        for member in self.members:
            if member.mend is not None and (member.impaired_until or 0) <= now:
                member.mend()
                member.mend = None

    def _kill(self) -> None:
        member = self.draw.choice(self.members)
        if member.mend is not None:
            member.mend()
        member.instance.kill()
        self.members.remove(member)
        self.done.append(f"kill {member.name}")
        self.start_member(member.kind, member.network)

    def _freeze(self) -> None:
        self._impair("freeze", _freeze, _thaw)

    def _cut(self) -> None:
        self._impair("cut", lambda member: member.network.cut(), lambda member: member.network.heal())

    def _end_lock_session(self) -> None:
        self._end_session("application_name ^@ 'pg_trickle_lock'")

    def _end_any_session(self) -> None:
        self._end_session("starts_with(application_name, 'pg_trickle_')")

    def _end_session(self, that: str) -> None:
        with self._connect() as conn:
            pids = [pid for (pid,) in conn.execute(f"SELECT pid FROM pg_stat_activity WHERE {that}").fetchall()]
            if pids:
                conn.execute("SELECT pg_terminate_backend(%s)", (self.draw.choice(pids),))
                self.done.append("end a session")

    def _restart(self) -> None:
        how = self.draw.choice(("fast", "immediate"))
        self._stop_and_start(how)
        self.done.append(f"restart {how}")

    def _be_standby_and_promote(self) -> None:
        self._stop_and_start("fast", as_standby=True)
        time.sleep(self.draw.uniform(1, 4))
        with self._connect() as conn:
            conn.execute("SELECT pg_promote()")
        self.done.append("promote")

    def _stop_and_start(self, how: Any, *, as_standby: bool = False) -> None:
        embedded.stop(self.server.data_dir, how)
        if as_standby:
            (next(self.server.data_dir.rglob("PG_VERSION")).parent / "standby.signal").touch()
        embedded.start(self.server.data_dir, settings=SETTINGS, port=self.server.port, die_with_parent=True)

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.server.url(), autocommit=True)

    def _assert_alive(self) -> None:
        for member in self.members:
            assert member.instance.process.poll() is None, (self.done, member.instance.log.read_text()[-3000:])

    def await_all_joined(self) -> None:
        names = {member.name for member in self.members}
        query = "SELECT instance_id FROM pgtrickle.instances WHERE is_live"
        with self._connect() as conn:
            until(
                lambda: {str(name) for (name,) in conn.execute(query).fetchall()} == names,
                seconds=60,
                what="all that live are members, and nobody else",
            )


def _network(server: embedded.Server) -> Namespace | Partition:
    """A host of its own, as far as the kernel can make one; else a socket of its own."""
    if os.geteuid() == 0 and shutil.which("ip") is not None:
        return Namespace(server.tcp_url())
    return Partition(server.url())


def _freeze(member: Member) -> None:
    for child in member.instance.children():
        child.suspend()
    psutil.Process(member.instance.process.pid).suspend()


def _thaw(member: Member) -> None:
    psutil.Process(member.instance.process.pid).resume()
    for child in member.instance.children():
        child.resume()
