"""The turn of the wheel: wait for what comes first, let the parts decide, leave with a code that speaks."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from typing import Any, TypeVar

import psycopg

from trickle import logs, metrics
from trickle.clock import Clock, SystemClock
from trickle.db.retry import kind_of_error
from trickle.db.session import refresh_role
from trickle.errors import TrickleError
from trickle.logs import event
from trickle.sql import load
from trickle.supervisor import options as o
from trickle.supervisor.children import Nursery
from trickle.supervisor.crew import Crew
from trickle.supervisor.fleet import Finish, Limits, StopRequested
from trickle.supervisor.http import Board, Health, HttpServer
from trickle.supervisor.instance import Instance
from trickle.supervisor.link import ServerLink, Unreachable, is_lost, reach
from trickle.supervisor.membership import MEMBERS
from trickle.supervisor.options import WorkerOptions, new_instance_id
from trickle.supervisor.report import Reporter
from trickle.supervisor.service_manager import ServiceManager
from trickle.supervisor.signals import RELOAD, SignalInbox
from trickle.worker import jobs
from trickle.worker.bench import Limits as WorkLimits
from trickle.worker.child import ChildOptions

log = logging.getLogger(__name__)

_T = TypeVar("_T")

# News about the members may come in swarms; they are answered together.
DOORBELL_SECONDS = 0.02
LONGEST_REST_SECONDS = 2.0


def run_worker(options: WorkerOptions) -> int:
    """Run one instance in this process until it is told to stop; returns its exit code."""
    # Our children are forked by name, but multiprocessing-logging asks for the process-wide method.
    multiprocessing.set_start_method("fork", force=True)
    sink = logs.configure(options.log_format, options.log_level)
    try:
        with SignalInbox() as inbox:
            return Wheel(options, inbox, sink, SystemClock()).run()
    except Unreachable as error:
        event(log, logging.ERROR, "the server does not answer", error=str(error))
        return o.EXIT_UNREACHABLE
    except TrickleError as error:
        event(log, logging.ERROR, "cannot work", error=str(error), code=error.code)
        return o.EXIT_CONFIGURATION
    except Exception:
        log.exception("the instance crashed")
        return o.EXIT_CRASHED


class Wheel:
    """One instance with its loop."""

    def __init__(self, options: WorkerOptions, inbox: SignalInbox, sink: logging.Handler, clock: Clock) -> None:
        self._options = options
        self._inbox = inbox
        self._clock = clock
        self._families = metrics.build()
        self._reporter = Reporter(self._families, options.children)
        self._link = ServerLink(options, options.instance_id or new_instance_id())
        self._crew = Crew(
            options.children,
            _limits(options),
            Nursery(_child_options(options, self._link.instance_id), sink),
            clock,
            self._end_backend,
        )
        self._instance = Instance(options, self._link, self._crew, self._reporter, clock, _compiler_version(options))
        self._board = Board()
        self._manager = ServiceManager.of_this_process()
        self._http: HttpServer | None = None
        self._next_tick = clock.monotonic()
        self._rung_at: float | None = None
        self._finish: Finish | None = None

    def run(self) -> int:
        try:
            if reach(self._link, self._options.startup_seconds, self._inbox, self._clock):
                self._go_round()
        finally:
            self._crew.close()
            self._instance.membership.watch.close()
            self._link.say_farewell()
            self._link.close()
            if self._http is not None:
                self._http.close()
            self._manager.close()
        return self._exit_code()

    def _go_round(self) -> None:
        event(
            log,
            logging.INFO,
            "instance started",
            instance=self._link.instance_id,
            group=self._options.group_id,
        )
        while self._finish is None:
            self._notice_lost_locks()
            ready = wait(self._waits_on(), self._pause())
            for name in self._inbox.take():
                self._reload() if name == RELOAD else self._stop(name)
            self._crew.listen(ready)
            self._hear_doorbell(ready)
            self._hear_watch(ready)
            self._digest()
            if self._clock.monotonic() >= self._next_tick:
                self._tick()
            else:
                self._between_ticks()
            self._digest()
            self._guarded(self._instance.outcomes.ring)
            self._manager.turned(self._clock.monotonic())

    def _waits_on(self) -> list[Any]:
        locks = self._link.locks
        watch = self._instance.membership.watch
        return [*self._crew.waits_on(), self._inbox, *watch.waits_on(), *([locks] if locks is not None else [])]

    def _pause(self) -> float:
        """Seconds until the clock itself asks for a turn."""
        if self._link.locks is not None and self._link.locks.has_rung:
            return 0.0
        moments = [self._next_tick]
        if self._crew.next_deadline is not None:
            moments.append(self._crew.next_deadline)
        if self._rung_at is not None:
            moments.append(self._rung_at + DOORBELL_SECONDS)
        asked = (self._instance.membership.next_beat, self._instance.next_look)
        moments.extend(moment for moment in asked if moment is not None)
        return max(0.0, min(moments) - self._clock.monotonic())

    def _tick(self) -> None:
        now = self._clock.monotonic()
        # On a fixed grid: a period of one tick is met every tick. Ticks that were missed are not made up for.
        self._next_tick = max(self._next_tick + self._instance.tick_seconds, now)
        self._crew.tick()
        if self._http is None and self._options.metrics_port and self._crew.alive:
            self._serve_metrics()
        self._look()

    def _look(self) -> None:
        """A whole turn, at the tick or because of news about the others."""
        self._rung_at = None
        started = self._clock.monotonic()
        said = self._guarded(self._instance.turn)
        if said is not None:
            event(log, logging.DEBUG, said)
            # A turn that takes long is followed by as long a time for giving out work and hearing answers, in reason.
            ended = self._clock.monotonic()
            self._next_tick = max(self._next_tick, ended + min(ended - started, LONGEST_REST_SECONDS))
        self._publish(said or "")

    def _between_ticks(self) -> None:
        """An answer, a deadline or a doorbell: give out work at once, and look again when a doorbell rang."""
        deadline = self._crew.next_deadline
        if deadline is not None and self._clock.monotonic() >= deadline:
            self._crew.tick()
        rung = self._rung_at
        if rung is not None and self._clock.monotonic() >= rung + DOORBELL_SECONDS:
            self._look()
        # What is known to be due is given out first; the children work while the bells are settled.
        self._guarded(self._instance.dispatch)
        self._guarded(self._instance.settle)
        self._guarded(self._instance.dispatch)
        self._guarded(self._instance.beat)

    def _digest(self) -> None:
        """Tell the instance what its children said and did."""
        news = self._crew.take_news()
        for answer in news.answers:
            self._guarded(partial(self._instance.outcomes.answered, answer))
        for lost in news.lost:
            self._guarded(partial(self._instance.outcomes.lost, lost))
        for reason in news.replaced:
            self._reporter.replaced(reason)
        self._finish = self._finish or news.finished

    def _hear_doorbell(self, ready: list[Any]) -> None:
        locks = self._link.locks
        if locks is None or (locks not in ready and not locks.has_rung):
            return
        try:
            rung = locks.doorbells()
            if MEMBERS in rung:
                self._instance.expect_news()
                self._rung_at = self._rung_at if self._rung_at is not None else self._clock.monotonic()
            self._instance.hear([word for word in rung if word != MEMBERS])
        except psycopg.Error as error:
            self._instance.lose_locks(str(error).strip())
            self._look()

    def _hear_watch(self, ready: list[Any]) -> None:
        membership = self._instance.membership
        if any(session in ready for session in membership.watch.waits_on()) and membership.hear():
            self._look()

    def _reload(self) -> None:
        """Read the settings of the database, the catalog and the members now and not at the next discovery."""
        event(log, logging.INFO, "asked to read settings and catalog anew")
        self._manager.reloading(self._clock.monotonic())
        self._instance.discover_soon()
        self._next_tick = self._clock.monotonic()

    def _stop(self, signal_name: str) -> None:
        event(log, logging.INFO, "asked to stop", signal=signal_name, jobs=len(self._crew.jobs))
        self._manager.stopping()
        self._crew.feed(StopRequested())
        if not self._instance.is_draining:
            self._guarded(self._instance.drain)
            self._publish("draining")

    def _guarded(self, act: Callable[[], _T]) -> _T | None:
        """One bad turn is logged and costs only itself; a wrong configuration ends the instance."""
        try:
            return act()
        except psycopg.Error as error:
            event(
                log,
                logging.WARNING,
                "a turn failed",
                kind=kind_of_error(error).value,
                error=str(error).strip(),
            )
            self._after_database_error()
        return None

    def _after_database_error(self) -> None:
        if is_lost(self._link.control):
            self._link.drop_control()
            pause = self._link.failed(self._clock.monotonic())
            self._next_tick = self._clock.monotonic() + pause
        self._notice_lost_locks()

    def _notice_lost_locks(self) -> None:
        """Look again at once; a heartbeat in the middle of another statement may have met the end and told nobody."""
        if self._link.locks is not None and self._link.locks.is_closed:
            self._instance.lose_locks("the session has ended")
            self._next_tick = min(self._next_tick, self._clock.monotonic())

    def _publish(self, said: str) -> None:
        instance, crew = self._instance, self._crew
        if instance.state in ("joined", "standby"):
            self._manager.ready()
        self._manager.status(said or instance.state)
        self._reporter.busy(len(crew.jobs), len(instance.members))
        self._board.publish(
            Health(
                state=instance.state,
                instance_id=self._link.instance_id,
                group_id=self._options.group_id,
                owned=len(instance.owned),
                members=len(instance.members),
                running=len(crew.jobs),
                children=crew.alive,
                last_turn=said,
            )
        )

    def _serve_metrics(self) -> None:
        port = self._options.metrics_port or 0
        self._http = HttpServer(self._options.metrics_host, port, self._board, self._families.registry).start()
        event(log, logging.INFO, "serving metrics", host=self._options.metrics_host, port=self._http.port)

    def _end_backend(self, backend_pid: int) -> None:
        """The server may take a second to notice a killed client; its row locks should not wait for that."""
        control = self._link.control
        if control is not None and not is_lost(control):
            self._guarded(lambda: control.execute(load("queries/instance_terminate"), {"backend_pid": backend_pid}))

    def _exit_code(self) -> int:
        if self._finish is None:
            return o.EXIT_DRAINED
        if self._finish.broken:
            return o.EXIT_CONFIGURATION
        code = o.EXIT_HARD if self._finish.hard else o.EXIT_DRAINED
        event(log, logging.INFO, "instance stopped", exit_code=code)
        return code


def _limits(options: WorkerOptions) -> Limits:
    return Limits(drain_seconds=options.drain_seconds, memory_bytes=options.child_memory_mb << 20)


def _child_options(options: WorkerOptions, instance_id: str) -> ChildOptions:
    return ChildOptions(
        options.url,
        WorkLimits(options.refresh_seconds, options.lock_seconds),
        compile_program=options.compile_program,
        role=refresh_role(options.group_id, instance_id),
    )


def _compiler_version(options: WorkerOptions) -> str:
    """With a compiler of the caller's own there is no version to compare with."""
    return "" if options.compile_program is not None else jobs.installed_compiler_version()
