"""The launcher's loop: look, share, let the roster decide, carry out what it says."""

from __future__ import annotations

import logging
import random
from multiprocessing.connection import wait
from typing import Any

import psycopg

from trickle import logs
from trickle.clock import Clock, SystemClock, backoff_seconds
from trickle.errors import TrickleError
from trickle.launcher import roster as r
from trickle.launcher.home import Home, has_catalog
from trickle.launcher.options import LauncherOptions, url_of
from trickle.launcher.processes import Processes
from trickle.launcher.report import LauncherReport
from trickle.launcher.share import Sight, mine, to_look_into
from trickle.logs import event
from trickle.supervisor import options as o
from trickle.supervisor.claims import decide
from trickle.supervisor.service_manager import ServiceManager
from trickle.supervisor.signals import RELOAD, SignalInbox

log = logging.getLogger(__name__)

_NEVER = float("-inf")
_BACKOFF_CAP_SECONDS = 5.0


def run_launcher(options: LauncherOptions) -> int:
    """Run instances in this server's databases until told to stop; returns the exit code."""
    logs.configure(options.log_format, options.log_level)
    try:
        with SignalInbox() as inbox:
            return Launcher(options, inbox, SystemClock()).run()
    except TrickleError as error:
        event(log, logging.ERROR, "cannot launch", error=str(error), code=error.code)
        return o.EXIT_CONFIGURATION
    except Exception:
        log.exception("the launcher crashed")
        return o.EXIT_CRASHED


class Launcher:
    """Everything between the home session and the instances."""

    def __init__(self, options: LauncherOptions, inbox: SignalInbox, clock: Clock) -> None:
        self._options = options
        self._inbox = inbox
        self._clock = clock
        self._home: Home | None = None
        self._processes = Processes(options.run)
        self._manager = ServiceManager.of_this_process()
        self._report = LauncherReport(options)
        self._said = ""
        self._roster = r.Roster(r.Limits(drain_seconds=options.drain_seconds))
        self._with_catalog: dict[int, bool] = {}
        self._look_at = self._clock.monotonic()
        self._discovered_at = _NEVER
        self._failures = 0
        self._was_reached = False
        self._was_hard = False

    def run(self) -> int:
        started_at = self._clock.monotonic()
        try:
            while not self._roster.is_finished:
                ready = wait(self._waits_on(), self._pause())
                self._hear(ready)
                self._manager.turned(self._clock.monotonic())
                if self._clock.monotonic() >= self._look_at and not self._roster.is_stopping:
                    self._turn()
                self._feed(r.Tick())
                self._report.turned(self._state, len(self._roster.alive), self._said)
                if not self._was_reached and self._clock.monotonic() - started_at >= self._options.startup_seconds:
                    event(log, logging.ERROR, "the server does not answer")
                    return o.EXIT_UNREACHABLE
        finally:
            self._processes.close()
            self._manager.close()
            self._report.close()
            if self._home is not None:
                self._home.close()
        code = o.EXIT_HARD if self._was_hard else o.EXIT_DRAINED
        event(log, logging.INFO, "launcher stopped", exit_code=code)
        return code

    @property
    def _state(self) -> str:
        if self._roster.is_stopping:
            return "draining"
        return "joined" if self._home is not None else "connecting"

    def _waits_on(self) -> list[Any]:
        home = [self._home] if self._home is not None else []
        return [*self._processes.waits_on(), self._inbox, *home]

    def _pause(self) -> float:
        """Seconds until the clock itself asks for a turn; never long, because a watchdog may want to hear from us."""
        now = self._clock.monotonic()
        moments = [now + self._options.look_seconds]
        if self._roster.next_deadline is not None:
            moments.append(self._roster.next_deadline)
        if not self._roster.is_stopping:
            moments.append(self._look_at)
        return max(0.0, min(moments) - now)

    def _hear(self, ready: list[Any]) -> None:
        for name in self._inbox.take():
            if name == RELOAD:
                self._reload()
                continue
            event(log, logging.INFO, "asked to stop", signal=name, instances=len(self._roster.alive))
            self._manager.stopping()
            self._feed(r.StopRequested())
        for database, code in self._processes.collect(ready):
            event(log, logging.INFO, "instance ended", database=database, exit_code=code)
            was_asked = self._roster.runners[database].phase is not r.Phase.RUNNING
            self._report.families.ends.labels("yes" if was_asked else "no").inc()
            self._was_hard = self._was_hard or (self._roster.is_stopping and code != o.EXIT_DRAINED)
            self._feed(r.Ended(database, random.random()))
            self._look_at = self._clock.monotonic()
        if self._home is not None and (self._home in ready or self._home.has_rung):
            self._hear_doorbell(self._home)

    def _reload(self) -> None:
        """Pass it on to the instances, and look for databases now."""
        event(log, logging.INFO, "asked to reload", instances=len(self._roster.alive))
        self._processes.reload()
        self._look_at, self._discovered_at = self._clock.monotonic(), _NEVER

    def _hear_doorbell(self, home: Home) -> None:
        try:
            if home.doorbells():
                self._look_at = self._clock.monotonic()
                self._discovered_at = min(self._discovered_at, self._look_at - self._options.discover_seconds)
        except psycopg.Error as error:
            self._lose_home(error)

    def _turn(self) -> None:
        """One look at the server, and what follows from it."""
        self._look_at = self._clock.monotonic() + self._options.look_seconds
        try:
            home = self._open_home()
            sight = home.look(self._options.is_meant)
            self._discover(sight)
            self._settle(home, sight)
        except psycopg.Error as error:
            self._lose_home(error)

    def _open_home(self) -> Home:
        if self._home is None:
            self._home = Home(self._options.url, self._options.group_id)
            self._failures = 0
            self._was_reached = True
            event(log, logging.INFO, "launcher joined", group=self._options.group_id, session=self._home.backend_pid)
        return self._home

    def _lose_home(self, error: psycopg.Error) -> None:
        """Without its session the launcher changes nothing: the instances look after themselves."""
        if self._home is not None:
            self._home.close()
        self._home = None
        self._failures += 1
        self._report.families.failures.inc()
        # Anything but a lost connection is an answer: a standby, for example, refuses to listen.
        self._was_reached = self._was_reached or not isinstance(error, psycopg.OperationalError)
        pause = backoff_seconds(self._failures, base=0.2, cap=_BACKOFF_CAP_SECONDS, draw=random.random())
        self._look_at = self._clock.monotonic() + pause
        event(
            log,
            logging.WARNING,
            "the home cannot be reached: instances go on as they are",
            error=str(error).strip(),
            retry_seconds=round(pause, 2),
        )

    def _discover(self, sight: Sight) -> None:
        """Ask databases whether they have the catalog: new ones at once, all of them now and then."""
        now = self._clock.monotonic()
        is_time = now - self._discovered_at >= self._options.discover_seconds
        if is_time:
            self._discovered_at = now
        for gone in self._with_catalog.keys() - {database.oid for database in sight.databases}:
            del self._with_catalog[gone]
        for database in to_look_into(sight, self._with_catalog, is_time):
            found = has_catalog(url_of(self._options.url, database.name))
            if found is not None and found != self._with_catalog.get(database.oid, False):
                event(log, logging.INFO, "catalog found" if found else "catalog gone", database=database.name)
            # What cannot be asked now is believed to be as it was.
            self._with_catalog[database.oid] = (
                found if found is not None else self._with_catalog.get(database.oid, False)
            )

    def _settle(self, home: Home, sight: Sight) -> None:
        """Claim our databases, say what should run, and give back what no longer runs."""
        with_catalog = [oid for oid, has in self._with_catalog.items() if has]
        ours = mine(sight, with_catalog, home.backend_pid)
        decision = decide(ours, home.claimed, self._roster.alive)
        home.give_back(decision.release)
        home.claim(decision.take)
        hasty = frozenset(database.name for database in sight.databases if database.is_wanted)
        self._feed(r.Wanted((ours & home.claimed) - hasty, hasty))
        self._manager.ready()
        running, launchers = len(self._roster.alive), len(sight.members)
        self._said = f"runs {running} of {len(with_catalog)} databases among {launchers} launchers"
        self._manager.status(self._said)
        self._report.listed(len(with_catalog), launchers)

    def _feed(self, happened: r.Event) -> None:
        self._roster, actions = r.step(self._roster, happened, self._clock.monotonic())
        for action in actions:
            self._perform(action)

    def _perform(self, action: r.Action) -> None:
        match action:
            case r.Start(database=database, slot=slot):
                pid = self._processes.start(database, slot)
                self._report.families.starts.inc()
                event(log, logging.INFO, "instance started", database=database, process=pid)
            case r.Ask(database=database):
                event(log, logging.INFO, "instance asked to end", database=database)
                self._processes.ask(database)
            case r.Kill(database=database):
                event(log, logging.WARNING, "instance killed", database=database)
                self._processes.kill(database)
