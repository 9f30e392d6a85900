"""What is done to relays, their broker and their server; each is done to messages that are on their way.

    at any moment   a carrier, a relay, the broker or the server is killed; sessions are ended; a relay freezes
    at a stage      sent, not read        the broker is stopped, and killed with what waits in its sockets
                    sent, not answered    the broker is stopped, the carrier killed; then the broker reads it all
                    taken, not stored     a lock keeps a batch out of the inbox, the carrier is killed
                    answered, not stored  a lock keeps the place where it is, the carrier is killed
                    stored                the carrier is killed when the place has just been moved

After a lock is given up what waited for it goes on, though nobody waits for its answer any more.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql
from support.waiting import until

from chaos.conftest import Instance
from chaos.havoc import SETTINGS
from chaos.relay_ends import INBOX, End
from chaos.relay_load import Load
from trickle import embedded

FORWARD, REVERSE = "kills-out", "kills-in"
SILENT_SECONDS = 1.5
_PATIENCE_SECONDS = 90.0
_ENOUGH_BYTES = 500
_LOOK_SECONDS = 2.0

StartRelay = Callable[[str], Instance]


@dataclass
class Blows:
    """Two relays under load, and everything that may be done to them."""

    server: embedded.Server
    url: str
    end: End
    load: Load
    start: StartRelay
    draw: random.Random
    relays: dict[str, Instance] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    _number: int = 0

    def start_relay(self) -> None:
        self._number += 1
        name = f"relay-{self._number}"
        self.relays[name] = self.start(name)

    def everyday(self) -> list[Callable[[], None]]:
        """One round of what is done at any moment."""
        blows = [self.kill_carrier, self.end_sessions, self.kill_relay]
        return [*blows, self.kill_broker] if self.end.killable is not None and not self.end.starts_slowly else blows

    def all(self) -> list[Callable[[], None]]:
        """One round of everything."""
        blows = [
            self.kill_carrier,
            self.end_sessions,
            self.kill_relay,
            self.kill_carrier,
            self.freeze_relay,
            self.restart_server,
        ]
        blows += [self.kill_with_place_stored, self.kill_with_place_held]
        if self.end.source is not None:
            blows.append(self.kill_with_inbox_held)
        if self.end.killable is not None:
            blows.append(self.kill_broker)
        if self.end.pausable is not None:
            blows.append(self.kill_carrier_of_paused_broker)
        if self.end.pausable is not None and self.end.killable is not None:
            blows.append(self.kill_paused_broker)
        return blows

    def strike(self, blow: Callable[[], None]) -> None:
        """Once messages flow again after the last one, and at no particular moment."""
        self.await_progress()
        time.sleep(self.draw.uniform(0, 0.3))
        self.done.append(blow.__name__)
        blow()
        for name, relay in self.relays.items():
            assert relay.process.poll() is None, f"{name} ended: {relay.log.read_text()[-3000:]}"

    def await_progress(self) -> None:
        """Every pipeline moves."""
        before = self._places()
        self.until(
            lambda: all(now != then for now, then in zip(self._places(), before, strict=True)),
            f"all pipelines go on, which were at {before}",
        )

    def kill_carrier(self) -> None:
        carriers = self._owner().children()
        if carriers:
            self.draw.choice(carriers).kill()

    def kill_relay(self) -> None:
        """Its carriers die with it, and the other relay takes over."""
        owner = self._owner()
        self.relays = {name: relay for name, relay in self.relays.items() if relay is not owner}
        owner.kill()
        self.start_relay()

    def freeze_relay(self) -> None:
        """Until another carries its pipelines; then it wakes up with messages in hand."""
        owner = self._owner()
        frozen = [psutil.Process(owner.process.pid), *owner.children()]
        for process in frozen:
            process.suspend()
        time.sleep(SILENT_SECONDS * 1.2)
        try:
            if not self.end.has_one_holder:
                self.await_progress()
        finally:
            for process in frozen:
                process.resume()

    def end_sessions(self) -> None:
        with self.connect() as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name ^@ 'pg_trickle_'"
            )

    def restart_server(self) -> None:
        with self.load.without_server():
            embedded.stop(self.server.data_dir, "immediate")
            embedded.start(self.server.data_dir, settings=SETTINGS, port=self.server.port, die_with_parent=True)

    def kill_broker(self) -> None:
        assert self.end.killable is not None
        self.end.killable.kill()
        time.sleep(self.draw.uniform(0, 0.3))
        self.end.killable.start()

    def kill_paused_broker(self) -> None:
        assert self.end.killable is not None
        self._pause_broker()
        self.end.killable.kill()
        self.end.killable.start()

    def kill_carrier_of_paused_broker(self) -> None:
        assert self.end.pausable is not None
        self._pause_broker()
        self.kill_carrier()
        self.end.pausable.resume()

    def kill_with_inbox_held(self) -> None:
        table = sql.SQL("LOCK TABLE pgtrickle.{} IN SHARE MODE").format(sql.Identifier(INBOX))
        self._kill_with_held(table, "%pgtrickle.receive(%", REVERSE)

    def kill_with_place_held(self) -> None:
        held = sql.SQL("SELECT 1 FROM pgtrickle.pgt_consumer_groups WHERE group_name = {} FOR UPDATE")
        self._kill_with_held(held.format(sql.Literal(FORWARD)), "%_relay_checkpoint%", FORWARD)

    def kill_with_place_stored(self) -> None:
        before = self._places()[0]
        self.until(lambda: self._places()[0] != before, "the place moves")
        self.kill_carrier()

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for something; if it does not happen, tell the whole story."""
        try:
            until(condition, seconds=_PATIENCE_SECONDS, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._story()}") from None

    def _story(self) -> str:
        with self.connect() as conn:
            states = conn.execute(
                "SELECT name, state, reason, instance_id, lag FROM pgtrickle.relay_status()"
            ).fetchall()
            sessions = conn.execute(
                "SELECT application_name, state, wait_event, left(query, 100) FROM pg_stat_activity"
                " WHERE datname = current_database()"
            ).fetchall()
        told = [f"done: {', '.join(self.done)}", f"{self.load.alive} writers, failures: {self.load.failures[:3]}"]
        told += [str(row) for row in (*states, *sessions)]
        told += [f"{name}: {relay.log.read_text()[-1500:]}" for name, relay in self.relays.items()]
        return "\n".join(told)

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    def _kill_with_held(self, lock: sql.Composed, waiting: str, pipeline: str) -> None:
        with self.connect() as holder, self.connect() as conn, holder.transaction():
            holder.execute(lock)
            asked = (
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
                " AND datname = current_database()"
            )
            self.until(lambda: conn.execute(asked, (waiting,)).fetchone(), f"{pipeline} waits for what is held")
            for carrier in self._owner(pipeline).children():
                carrier.kill()

    def _pause_broker(self) -> None:
        """Until messages wait for it. Everything may have been on its way already; then nothing more is sent."""
        broker = self.end.pausable
        assert broker is not None

        def is_hit() -> bool:
            broker.pause()
            until_then = time.monotonic() + _LOOK_SECONDS
            while time.monotonic() < until_then:
                if unread_bytes(self.end.ports) >= _ENOUGH_BYTES:
                    return True
                time.sleep(0.01)
            broker.resume()
            time.sleep(self.draw.uniform(0, 0.3))
            return False

        self.until(is_hit, "messages wait for the broker that stands still")

    def _owner(self, pipeline: str | None = None) -> Instance:
        """The relay that carries a pipeline, as far as that is known."""
        names = [FORWARD, REVERSE] if self.end.source is not None else [FORWARD]
        query = "SELECT instance_id FROM pgtrickle.pgt_relay_states WHERE pipeline_name = %s"
        with self.connect() as conn:
            row = conn.execute(query, (pipeline or self.draw.choice(names),)).fetchone()
        return self.relays.get(row[0] if row else "") or self.draw.choice(list(self.relays.values()))

    def _places(self) -> list[Any]:
        """How far each pipeline is."""
        query = "SELECT prev::text, delivered_id FROM pgtrickle.pgt_consumer_groups WHERE group_name = %s"
        with self.connect() as conn:
            places: list[Any] = [conn.execute(query, (FORWARD,)).fetchone()]
            if self.end.source is not None:
                places.append(conn.execute(f"SELECT max(arrival) FROM pgtrickle.{INBOX}".encode()).fetchone())
        return places


def unread_bytes(ports: Any) -> int:
    """How much the kernel keeps for whoever listens on these ports and does not read."""
    waiting = 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            if int(words[1].rpartition(":")[2], 16) in ports and words[3] == "01":
                waiting += int(words[4].partition(":")[2], 16)
    return waiting
