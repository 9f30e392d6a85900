"""The turn of a relay's wheel: wait for what comes first, let the parts decide, leave with a code that speaks."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any

import psycopg

from trickle import logs
from trickle.clock import Clock, SystemClock
from trickle.db.retry import kind_of_error
from trickle.db.session import relay_role
from trickle.errors import TrickleError
from trickle.logs import event
from trickle.supervisor import options as o
from trickle.supervisor.carrier import CarrierOptions
from trickle.supervisor.carriers import Carriers
from trickle.supervisor.http import Board, Health, HttpServer
from trickle.supervisor.link import ServerLink, Unreachable, is_lost, reach
from trickle.supervisor.options import RelayOptions, new_instance_id
from trickle.supervisor.relay_instance import RelayInstance
from trickle.supervisor.relay_report import RelayReport
from trickle.supervisor.service_manager import ServiceManager
from trickle.supervisor.signals import RELOAD, SignalInbox

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
# News about members and pipelines may come in swarms; they are answered together.
DOORBELL_SECONDS = 0.02


def run_relay(options: RelayOptions) -> int:
    """Run one relay in this process until it is told to stop; returns its exit code."""
    # Our children are forked by name, but multiprocessing-logging asks for the process-wide method.
    multiprocessing.set_start_method("fork", force=True)
    sink = logs.configure(options.log_format, options.log_level)
    try:
        with SignalInbox() as inbox:
            return RelayWheel(options, inbox, sink, SystemClock()).run()
    except Unreachable as error:
        event(log, logging.ERROR, "the server does not answer", error=str(error))
        return o.EXIT_UNREACHABLE
    except TrickleError as error:
        event(log, logging.ERROR, "cannot work", error=str(error), code=error.code)
        return o.EXIT_CONFIGURATION
    except Exception:
        log.exception("the relay crashed")
        return o.EXIT_CRASHED


class RelayWheel:
    """One relay with its loop."""

    def __init__(self, options: RelayOptions, inbox: SignalInbox, sink: logging.Handler, clock: Clock) -> None:
        self._options = options
        self._inbox = inbox
        self._clock = clock
        self._link = ServerLink(options, options.instance_id or new_instance_id())
        role = relay_role(options.members_of, self._link.instance_id)
        told = CarrierOptions(options.url, role, options.connections, options.direct_url, options.access)
        self._carriers = Carriers(options.children, told, sink, clock)
        self._instance = RelayInstance(options, self._link, self._carriers, clock)
        self._report = RelayReport(options.group_id)
        self._board = Board()
        self._manager = ServiceManager.of_this_process()
        self._http: HttpServer | None = None
        self._next_tick = clock.monotonic()
        self._rung_at: float | None = None
        self._drain_until: float | None = None

    def run(self) -> int:
        is_hard = False
        try:
            if reach(self._link, self._options.startup_seconds, self._inbox, self._clock):
                is_hard = self._go_round()
        finally:
            self._carriers.kill()
            self._instance.membership.watch.close()
            self._link.say_farewell()
            self._link.close()
            if self._http is not None:
                self._http.close()
            self._manager.close()
        code = o.EXIT_HARD if is_hard else o.EXIT_DRAINED
        event(log, logging.INFO, "relay stopped", exit_code=code)
        return code

    def _go_round(self) -> bool:
        """Until drained; whether what was on its way had to be cut off."""
        event(log, logging.INFO, "relay started", instance=self._link.instance_id, group=self._options.group_id)
        while self._drain_until is None or self._carriers.alive:
            self._notice_lost_locks()
            ready = wait(self._waits_on(), self._pause())
            for name in self._inbox.take():
                self._reload() if name == RELOAD else self._stop(name)
            if self._carriers.listen(ready):
                self._guarded(self._instance.let_go if self._instance.is_draining else self._instance.settle)
            self._hear_doorbell(ready)
            self._hear_watch(ready)
            now = self._clock.monotonic()
            if self._drain_until is not None and now >= self._drain_until:
                return True
            if now >= self._next_tick or (self._rung_at is not None and now >= self._rung_at + DOORBELL_SECONDS):
                self._look(now)
            if self._carriers.look() and not self._instance.is_draining:
                self._guarded(self._instance.settle)
            self._guarded(self._instance.beat)
            self._manager.turned(now)
        return False

    def _waits_on(self) -> list[Any]:
        locks = self._link.locks
        watch = self._instance.membership.watch
        return [*self._carriers.pipes(), self._inbox, *watch.waits_on(), *([locks] if locks is not None else [])]

    def _pause(self) -> float:
        if self._link.locks is not None and self._link.locks.has_rung:
            return 0.0
        moments = [self._next_tick]
        if self._rung_at is not None:
            moments.append(self._rung_at + DOORBELL_SECONDS)
        if self._drain_until is not None:
            moments.append(self._drain_until)
        asked = (self._instance.membership.next_beat, self._carriers.next_start)
        moments.extend(moment for moment in asked if moment is not None)
        return max(0.0, min(moments) - self._clock.monotonic())

    def _look(self, now: float) -> None:
        """A whole turn, at the tick or because of news."""
        self._rung_at = None
        if now >= self._next_tick:  # a look because of news leaves the ticks where they are
            self._next_tick = max(self._next_tick + (self._options.tick_seconds or TICK_SECONDS), now)
        said = self._guarded(self._instance.turn)
        if said is not None:
            event(log, logging.DEBUG, said)
        self._publish(said or "")
        # After the first fork: a child must not inherit the thread or its port.
        if self._http is None and self._options.metrics_port and self._carriers.alive:
            self._serve_metrics()

    def _hear_doorbell(self, ready: list[Any]) -> None:
        locks = self._link.locks
        if locks is None or (locks not in ready and not locks.has_rung):
            return
        try:
            if locks.doorbells():
                self._rung_at = self._rung_at if self._rung_at is not None else self._clock.monotonic()
        except psycopg.Error as error:
            self._instance.lose_locks(str(error).strip())
            self._look(self._clock.monotonic())

    def _hear_watch(self, ready: list[Any]) -> None:
        membership = self._instance.membership
        if any(session in ready for session in membership.watch.waits_on()) and membership.hear():
            self._look(self._clock.monotonic())

    def _reload(self) -> None:
        event(log, logging.INFO, "asked to read the pipelines anew")
        self._manager.reloading(self._clock.monotonic())
        self._instance.discover_soon()
        self._next_tick = self._clock.monotonic()

    def _stop(self, signal_name: str) -> None:
        """The first time finish what is on its way; the second time at once."""
        event(log, logging.INFO, "asked to stop", signal=signal_name, pipelines=len(self._instance.owned))
        self._manager.stopping()
        now = self._clock.monotonic()
        if self._drain_until is not None:
            self._drain_until = now
            return
        self._drain_until = now + self._options.drain_seconds
        self._guarded(self._instance.drain)
        self._publish("draining")

    def _guarded(self, act: Callable[[], Any]) -> Any:
        """One bad turn is logged and costs only itself; a wrong configuration ends the relay."""
        try:
            return act()
        except psycopg.Error as error:
            event(log, logging.WARNING, "a turn failed", kind=kind_of_error(error).value, error=str(error).strip())
            self._after_database_error()
        return None

    def _after_database_error(self) -> None:
        if is_lost(self._link.control):
            self._link.drop_control()
            self._next_tick = self._clock.monotonic() + self._link.failed(self._clock.monotonic())
        self._notice_lost_locks()

    def _notice_lost_locks(self) -> None:
        """Look again at once; a heartbeat in the middle of another statement may have met the end and told nobody."""
        if self._link.locks is not None and self._link.locks.is_closed:
            self._instance.lose_locks("the session has ended")
            self._next_tick = min(self._next_tick, self._clock.monotonic())

    def _publish(self, said: str) -> None:
        instance = self._instance
        if instance.state in ("joined", "standby"):
            self._manager.ready()
        self._manager.status(said or instance.state)
        directions = {name: row.direction for name, row in instance.pipelines.items()}
        self._report.publish(self._carriers.standings, self._carriers.take_ended(), directions, instance.owned)
        self._board.publish(
            Health(
                state=instance.state,
                instance_id=self._link.instance_id,
                group_id=self._options.group_id,
                owned=len(instance.owned),
                members=len(instance.membership.members),
                running=len(self._carriers.in_hand),
                children=self._carriers.alive,
                last_turn=said,
            )
        )

    def _serve_metrics(self) -> None:
        port = self._options.metrics_port or 0
        self._http = HttpServer(self._options.metrics_host, port, self._board, self._report.registry).start()
        event(log, logging.INFO, "serving metrics", host=self._options.metrics_host, port=self._http.port)
