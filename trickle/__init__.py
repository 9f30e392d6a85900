"""Trickle keeps the results of SQL queries up to date in stock PostgreSQL.

    import trickle

    with trickle.connect("postgresql://localhost/shop") as client:
        client.create_stream_table(
            "order_totals", "SELECT customer_id, sum(amount) AS total FROM orders GROUP BY customer_id"
        )

What flows: SQL text becomes a compiled program in the server (`trickle.ivm`, pure), triggers record changes
in change buffers, a worker calls programs when they are due. Python compiles and coordinates; every row is
moved by SQL inside the server. Importing this package imports none of its parts: the names below are loaded
when they are first used.

The words, which have no synonyms in code, SQL, metrics, command line and documentation:

stream table     a table that holds the result of a query and is kept up to date
defining query   that query
source           a table that a stream table reads
change           a signed row: weight +1 or −1; an UPDATE is one of each
change buffer    the changes of one source, stamped with their transaction ids
frontier         what a stream table has consumed: a snapshot, and its own transaction's part
program          the compiled SQL that refreshes a stream table
refresh          bringing a stream table up to date: FULL, DIFFERENTIAL, IMMEDIATE or NO_DATA
unit             stream tables refreshed together: singleton, atomic group, cycle, chain
instance         one worker or relay process with its subprocesses
group id         instances with the same one share the work
claim            holding the advisory lock that says who should work on a stream table
pipeline         outbox to sink, or source to inbox
outbox, inbox    tables through which messages leave and enter the database
consumer group   readers that share one outbox; offset: how far it has read; lease: rows lent to one reader
dead letter      a message set aside because it cannot be processed
job              work that waits in a queue; runner: does it; attempt: one try, under a lease; handler: the function
tenant           a database among many; hot or cold, promoted and demoted
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trickle import errors
    from trickle.client import Client, RefreshOutcome, StreamTableStatus, VerifyResult, connect
    from trickle.jobs.context import GiveUp, JobContext
    from trickle.jobs.enqueue import enqueue, enqueue_async, enqueue_debounced, enqueue_many, enqueue_throttled
    from trickle.jobs.metrics import JobMetrics
    from trickle.jobs.registry import around, job
    from trickle.jobs.runner import JobRunner, RunnerOptions

__all__ = [
    "Client",
    "GiveUp",
    "JobContext",
    "JobMetrics",
    "JobRunner",
    "RefreshOutcome",
    "RunnerOptions",
    "StreamTableStatus",
    "VerifyResult",
    "around",
    "connect",
    "enqueue",
    "enqueue_async",
    "enqueue_debounced",
    "enqueue_many",
    "enqueue_throttled",
    "errors",
    "job",
]

_OF_JOBS = {
    "GiveUp": "context",
    "JobContext": "context",
    "JobMetrics": "metrics",
    "JobRunner": "runner",
    "RunnerOptions": "runner",
    "around": "registry",
    "enqueue": "enqueue",
    "enqueue_async": "enqueue",
    "enqueue_debounced": "enqueue",
    "enqueue_many": "enqueue",
    "enqueue_throttled": "enqueue",
    "job": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "errors":
        return importlib.import_module("trickle.errors")
    room = f"trickle.jobs.{_OF_JOBS[name]}" if name in _OF_JOBS else "trickle.client"
    return getattr(importlib.import_module(room), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
