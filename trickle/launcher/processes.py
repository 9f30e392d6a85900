"""The processes of the instances: fork, signal, reap. It decides nothing."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import ForkProcess

from trickle.errors import TrickleError
from trickle.launcher.options import RunInstance
from trickle.logs import event
from trickle.supervisor.options import EXIT_CONFIGURATION, EXIT_CRASHED, EXIT_DRAINED
from trickle.supervisor.signals import STOP_SIGNALS
from trickle.worker.isolate import die_with_parent, drop_descriptors

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Process:
    process: ForkProcess
    pipe: Pipe  # nothing is said through it; its end is the end of the process


class Processes:
    """All running instances of this launcher, by database."""

    def __init__(self, run: RunInstance) -> None:
        self._run = run
        self._context = multiprocessing.get_context("fork")
        self._running: dict[str, _Process] = {}

    def start(self, database: str, slot: int) -> int:
        """Fork an instance; its process id."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_live, args=(self._run, database, slot, theirs, os.getpid()), name=f"instance-{database}"
        )
        # A signal between the fork and the child's own handlers would be taken for one of ours.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            with warnings.catch_warnings():
                # Python warns of forking beside threads. Ours only serves /metrics, and descriptors are dropped.
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()
        self._running[database] = _Process(process, ours)
        return process.pid or 0

    def ask(self, database: str) -> None:
        """Send SIGTERM."""
        self._running[database].process.terminate()

    def kill(self, database: str) -> None:
        self._running[database].process.kill()

    def reload(self) -> None:
        """Send SIGHUP to all."""
        for running in self._running.values():
            if running.process.pid is not None:
                os.kill(running.process.pid, signal.SIGHUP)

    def waits_on(self) -> list[Pipe]:
        return [running.pipe for running in self._running.values()]

    def collect(self, ready: Iterable[object]) -> list[tuple[str, int]]:
        """The databases whose instances have ended, with the exit codes; a negative one is a signal."""
        woken = set(map(id, ready))
        ended = [name for name, running in self._running.items() if id(running.pipe) in woken]
        return [(name, self._reap(name)) for name in ended]

    def close(self) -> None:
        """End whatever still runs; tolerates being called twice."""
        for running in self._running.values():
            running.process.kill()
        for database in list(self._running):
            self._reap(database)

    def _reap(self, database: str) -> int:
        running = self._running.pop(database)
        running.process.join()
        code = running.process.exitcode
        running.process.close()
        running.pipe.close()
        return code if code is not None else EXIT_CRASHED


def _live(run: RunInstance, database: str, slot: int, alive: Pipe, parent_pid: int) -> None:
    """Entry after the fork: become a process of our own, work, and leave without the parent's clean-up."""
    # Ctrl-C goes to a whole process group, and the launcher passes it on: we must not hear it twice.
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    # Until the instance listens for it there is nothing to read anew.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    if not die_with_parent(parent_pid, signal.SIGTERM):
        os._exit(EXIT_DRAINED)
    drop_descriptors((alive.fileno(),))
    # The service manager hears of the launcher alone.
    os.environ.pop("NOTIFY_SOCKET", None)
    try:
        code = run(database, slot)
    except TrickleError as error:
        event(log, logging.ERROR, "cannot work", database=database, error=str(error), code=error.code)
        code = EXIT_CONFIGURATION
    except BaseException:
        log.exception("the instance of %s crashed", database)
        code = EXIT_CRASHED
    sys.stdout.flush()
    os._exit(code)
