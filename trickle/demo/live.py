"""The loop of the demo: tend the workers, strike, look, show. One thread, the main one."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from psycopg import Connection
from rich.console import Console
from rich.live import Live

from trickle.demo import chaos, observe, view
from trickle.demo.chaos import TakeOver
from trickle.demo.options import DemoOptions
from trickle.demo.processes import Process
from trickle.demo.workers import Workers
from trickle.errors import Ours

_TURN_SECONDS = 0.1
# While a take-over is timed.
_HURRIED_TURN_SECONDS = 0.01
_LOOK_SECONDS = 0.5
_PLAIN_LOOK_SECONDS = 5.0


class LiveDemo:
    """Everything that goes on between the start of the replay and its end."""

    def __init__(
        self,
        options: DemoOptions,
        connection: Connection[Any],
        workers: Workers,
        replay: Process,
        psql: str,
    ) -> None:
        self._options = options
        self._connection = connection
        self._workers = workers
        self._replay = replay
        self._psql = psql
        self._draw = random.Random()
        self._began = time.monotonic()
        self._strike_at = chaos.next_strike(self._began, self._draw)
        self._since: datetime = observe.database_now(connection)
        self.takeovers: list[TakeOver] = []

    def run(self, console: Console) -> None:
        """Go round until time is up; Ctrl-C is the caller's."""
        with ExitStack() as stack:
            live = None if self._options.is_plain else stack.enter_context(Live(console=console, auto_refresh=False))
            look_at = self._began
            while not self._is_over(now := time.monotonic()):
                self._tend(now)
                if self._options.with_chaos:
                    self._strike(now)
                if now >= look_at:
                    self._show(console, live)
                    look_at = now + (_LOOK_SECONDS if live else _PLAIN_LOOK_SECONDS)
                time.sleep(_HURRIED_TURN_SECONDS if self._is_timing else _TURN_SECONDS)
            self._show(console, live)

    @property
    def _is_timing(self) -> bool:
        return bool(self.takeovers) and self.takeovers[-1].seconds is None

    def _is_over(self, now: float) -> bool:
        return self._options.seconds is not None and now - self._began >= self._options.seconds

    def _tend(self, now: float) -> None:
        self._workers.tend(now)
        code = self._replay.exit_code()
        if code is not None:
            raise Ours(f"the replay ended by itself with exit code {code}; it said:\n{self._replay.said()}")

    def _strike(self, now: float) -> None:
        """Finish timing the last take-over; when it is time, kill again."""
        if self._is_timing:
            owners = observe.owners(self._connection)
            self.takeovers[-1] = chaos.settle(self.takeovers[-1], owners, self._workers.running, time.monotonic())
        elif now >= self._strike_at:
            owners = observe.owners(self._connection)
            victim = chaos.choose_victim(self._workers.running, self._options.workers, owners, self._draw)
            if victim is not None:
                killed_at = time.monotonic()
                self._workers.kill(victim, killed_at)
                self.takeovers.append(chaos.begin(victim, owners, killed_at))
                self._strike_at = chaos.next_strike(killed_at, self._draw)

    def _show(self, console: Console, live: Live | None) -> None:
        shown = view.Shown(
            observe.look(self._connection, self._since),
            self._workers.running,
            self.takeovers,
            time.monotonic() - self._began,
            self._options.minutes_per_second,
            self._psql,
        )
        if live is not None:
            live.update(view.screen(shown), refresh=True)
        else:
            console.print(view.line(shown), markup=False, soft_wrap=True)
