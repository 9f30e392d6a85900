"""What each job does on the child's one session. A refresh is one call; the server moves every row."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import singledispatch

import psycopg
from psycopg import sql

from trickle.db.retry import Kind, kind_of_error
from trickle.worker.bench import CompileProgram, Workbench
from trickle.worker.protocol import Compile, Outcome, Prune, Refresh, Restore, Survey

log = logging.getLogger(__name__)

PRUNE_BATCH_ROWS = 10_000
# A job that never ends would keep its child from refreshing; what is left is removed by the next one.
PRUNE_BATCHES = 50
VACUUM_ROWS = 50_000
HISTORY_BATCH_ROWS = 2_000
HISTORY_BATCHES = 20


@singledispatch
def perform(job: object, bench: Workbench) -> Outcome:
    """Do the job on this bench."""
    raise TypeError(f"no worker knows the job {job!r}")


@perform.register
def _(job: Refresh, bench: Workbench) -> Outcome:
    started = datetime.now(UTC)
    try:
        return bench.refresh(job.pgt_id).outcome
    except psycopg.Error as error:
        record(bench, job.pgt_id, started, error)
        raise


@perform.register
def _(job: Compile, bench: Workbench) -> Outcome:
    bench.met.add(job.pgt_id)
    compile_program = bench.compile_program or _installed_compiler()
    result = compile_program(bench.conn, job.pgt_id)
    return Outcome(action=str(result.state), reason=result.reason)


@perform.register
def _(job: Prune, bench: Workbench) -> Outcome:
    removed = 0
    for _ in range(PRUNE_BATCHES):
        parameters: dict[str, object] = {"source_id": job.source_id, "batch_rows": PRUNE_BATCH_ROWS}
        row = bench.one("queries/worker_prune", parameters)
        rows = int(row[0] or 0) if row else 0
        removed += rows
        if rows < PRUNE_BATCH_ROWS:
            break
    _tidy(bench, job.source_id, removed)
    return Outcome("PRUNED", rows_deleted=removed)


@perform.register
def _(job: Restore, bench: Workbench) -> Outcome:
    bench.one("queries/worker_restore", {})
    return Outcome("RESTORED")


@perform.register
def _(job: Survey, bench: Workbench) -> Outcome:
    row = bench.one("queries/worker_survey", {})
    for _ in range(HISTORY_BATCHES):
        pruned = bench.one("queries/worker_prune_history", {"batch_rows": HISTORY_BATCH_ROWS})
        if pruned is None or pruned[0] < HISTORY_BATCH_ROWS:
            break
    for _ in range(PRUNE_BATCHES):
        drained = bench.one("queries/worker_drain", {})
        if drained is None or not drained[0]:
            break
    return Outcome("SURVEYED", rows_inserted=row[0] if row else 0)


def record(bench: Workbench, pgt_id: int, started: datetime, error: psycopg.Error) -> None:
    """Write the failure to the catalog. A lost connection is not the table's failure."""
    if bench.is_lost or kind_of_error(error) is Kind.CONNECTION:
        return
    try:
        bench.one(
            "queries/worker_record_failure",
            {
                "pgt_id": pgt_id,
                "started": started,
                "code": error.sqlstate or "XX000",
                "message": error.diag.message_primary or str(error).strip(),
                "initiated_by": bench.initiated_by,
            },
        )
    except psycopg.Error:
        # The parent hears of the refresh's own failure either way, and tries again later.
        log.exception("a failed refresh could not be recorded", extra={"fields": {"pgt_id": pgt_id}})


def _tidy(bench: Workbench, source_id: int, removed: int) -> None:
    """VACUUM after much was removed, and once for a new buffer: until then it is planned as ten pages."""
    row = bench.one("queries/worker_buffer", {"source_id": source_id})
    if row is None:
        return
    schema, table, is_new = row
    if removed >= VACUUM_ROWS or is_new:
        statement = sql.SQL("VACUUM (SKIP_LOCKED, TRUNCATE off) {}")
        bench.conn.execute(statement.format(sql.Identifier(schema, table)))


def installed_compiler_version() -> str:
    """The version that the installed compiler writes beside its programs."""
    from trickle.ivm import COMPILER_VERSION

    return COMPILER_VERSION


def _installed_compiler() -> CompileProgram:
    # The compiler is loaded by whoever needs it: a worker with one of its own never does.
    from trickle.catalog.install import compile_and_install

    return compile_and_install
