"""The life of a refresh subprocess: cut loose, connect, then job after job until told to stop."""

from __future__ import annotations

import gc
import logging
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from typing import Any

import psycopg

from trickle.clock import backoff_seconds
from trickle.db.retry import Kind, kind_of_error
from trickle.db.session import connect, is_pooled
from trickle.errors import TrickleError
from trickle.logs import ChildChannel, event
from trickle.worker import exits
from trickle.worker.bench import CompileProgram, Limits, Workbench
from trickle.worker.isolate import die_with_parent, drop_descriptors, ignore_signals
from trickle.worker.jobs import perform, record
from trickle.worker.protocol import Answer, Done, Failed, Hello, Job, RefreshTogether, Stop
from trickle.worker.together import MemberFailed, refresh_together, total

log = logging.getLogger(__name__)

CONNECT_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """What a child is told at birth."""

    url: str
    limits: Limits
    compile_program: CompileProgram | None = None
    initiated_by: str = "SCHEDULER"
    role: str = "refresh"  # of the session, in its name


def main(options: ChildOptions, pipe: Pipe, channel: ChildChannel | None, parent_pid: int) -> None:
    """Entry after the fork; leaves the process with one of the codes in `exits`."""
    ignore_signals()
    if not die_with_parent(parent_pid):
        os._exit(exits.STOPPED)
    drop_descriptors((pipe.fileno(), *(channel.descriptors if channel else ())))
    if channel is not None:
        channel.adopt()
    # Else every collection would go through all that was imported, and make the parent's pages the child's own.
    gc.freeze()
    code = _live(options, pipe)
    if channel is not None:
        channel.flush()
    sys.stdout.flush()
    # Everything else in this memory is a copy of the parent's; nothing of it may run its clean-up here.
    os._exit(code)


def _live(options: ChildOptions, pipe: Pipe) -> int:
    try:
        return serve(pipe, lambda: _open(options))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return exits.STOPPED
    except psycopg.Error as error:
        event(log, logging.ERROR, "no connection for a refresh subprocess", error=str(error).strip())
        return exits.UNAVAILABLE
    except TrickleError as error:
        event(log, logging.ERROR, "a refresh subprocess cannot work", error=str(error))
        return exits.CONFIGURATION
    except Exception:
        log.exception("a refresh subprocess crashed")
        return exits.CRASHED


def serve(pipe: Pipe, open_bench: Callable[[], Workbench]) -> int:
    """Answer jobs until told to stop. A lost connection costs the job in hand, not the process; a session that keeps
    the plans of too many stream tables is closed between two jobs, and another one opened."""
    bench: Workbench | None = _introduced(open_bench, pipe)
    while True:
        message = pipe.recv()
        if isinstance(message, Stop):
            if bench is not None:
                bench.close()
            return exits.STOPPED
        if bench is None:
            bench = _introduced(open_bench, pipe)
        answer = attempt(bench, message)
        if bench.is_lost:
            bench.close()
            bench = None
        pipe.send(answer)
        if bench is not None and bench.is_full:
            bench.close()
            bench = _introduced(open_bench, pipe)


def _introduced(open_bench: Callable[[], Workbench], pipe: Pipe) -> Workbench:
    """Open the session and tell the parent which one it is."""
    bench = _patiently(open_bench)
    pipe.send(Hello(os.getpid(), bench.backend_pid))
    return bench


def attempt(bench: Workbench, job: Job) -> Answer:
    """Perform one job; every failure becomes an answer."""
    started = time.monotonic()
    try:
        if isinstance(job, RefreshTogether):
            return _together(job, bench, started)
        outcome = perform(job, bench)
    except psycopg.Error as error:
        lost = bench.is_lost or kind_of_error(error) is Kind.CONNECTION
        return Failed(job, error.sqlstate, _sentence(error), time.monotonic() - started, lost)
    except TrickleError as error:
        return Failed(job, error.code, str(error), time.monotonic() - started)
    except Exception as error:
        log.exception("a job crashed", extra={"fields": {"job": job}})
        return Failed(job, "XX000", f"{type(error).__name__}: {error}", time.monotonic() - started)
    return Done(job, outcome, time.monotonic() - started)


def _together(job: RefreshTogether, bench: Workbench, started: float) -> Answer:
    began = datetime.now(UTC)
    try:
        parts = refresh_together(job, bench)
    except MemberFailed as failed:
        error = failed.__cause__
        if not isinstance(error, psycopg.Error):
            raise
        for pgt_id in (failed.pgt_id, *failed.others):
            record(bench, pgt_id, began, error)
        lost = bench.is_lost or kind_of_error(error) is Kind.CONNECTION
        seconds = time.monotonic() - started
        return Failed(job, error.sqlstate, _sentence(error), seconds, lost, failed.pgt_id, failed.done)
    return Done(job, total(parts), time.monotonic() - started, parts)


def _open(options: ChildOptions) -> Workbench:
    conn = connect(options.url, role=options.role)
    try:
        return Workbench.prepare(conn, is_pooled(conn), options.limits, options.compile_program, options.initiated_by)
    except BaseException:
        conn.close()
        raise


def _patiently(open_bench: Callable[[], Workbench]) -> Workbench:
    """Open the session, giving a restarting server some seconds; the last failure is raised."""
    for number in range(1, CONNECT_ATTEMPTS):
        try:
            return open_bench()
        except psycopg.OperationalError as error:
            wait = backoff_seconds(number, base=0.1, cap=2.0, draw=random.random())
            event(
                log,
                logging.WARNING,
                "no connection yet",
                error=_sentence(error),
                retry_seconds=round(wait, 2),
            )
            time.sleep(wait)
    return open_bench()


def _sentence(error: psycopg.Error) -> str:
    """The message as the server gave it, with its detail and hint."""
    diagnostic: Any = error.diag
    if diagnostic.message_primary is None:
        return str(error).strip()
    parts = (diagnostic.message_primary, diagnostic.message_detail, diagnostic.message_hint)
    return " — ".join(part for part in parts if part)
