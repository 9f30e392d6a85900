"""What an examination means: findings, each with a level and, unless all is well, what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from trickle.cli import surroundings
from trickle.cli.examination import BufferFacts, CaptureFacts, Examination, MissingIndex, RightsFacts, ServerFacts
from trickle.cli.finding import Finding, Level, or_ok
from trickle.cli.output import duration

OLDEST_SERVER = 150_000
SILENT_INSTANCE = timedelta(minutes=1)
LARGE_BUFFER_BYTES = 1 << 30
LARGE_BUFFER_ROWS = 1_000_000


def findings(seen: Examination) -> tuple[Finding, ...]:
    """Every finding, in the order in which one would look for a fault."""
    return (
        *_server(seen),
        *_identity(seen.server),
        *or_ok("instances", _instances(seen), "every instance has been heard of lately"),
        *or_ok("rights", _rights(seen.rights), "this role may maintain every stream table"),
        *or_ok("capture", _capture(seen.capture), f"complete on {len(seen.capture)} sources"),
        *or_ok("stream tables", _states(seen), f"{len(seen.stream_tables)} without errors"),
        *or_ok("programs", _programs(seen), "every stream table that can be differential is"),
        *or_ok(
            "indexes", _indexes(seen.missing_indexes), "no program looks rows up without one in a table of any size"
        ),
        *or_ok("transactions", _holders(seen), "none is open for long, as far as this role may see"),
        *_room(seen),
        *or_ok("settings", surroundings.settings(seen.settings), f"{len(seen.settings)} are set, and all are read"),
        *or_ok("orphans", surroundings.orphans(seen.orphans), "nothing is left of what was dropped"),
        *or_ok("buffers", _buffers(seen.buffers), "every change buffer is small"),
        *or_ok("jobs", surroundings.queues(seen.queues), "none waits for a runner, and their tables are vacuumed"),
    )


def _room(seen: Examination) -> Iterator[Finding]:
    budget = seen.budget
    if budget is None:
        return
    live = sum(instance.is_live for instance in seen.instances)
    enough = f"{budget.in_words(max(live, 1))}; {budget.processes_in_words(max(live, 1))}"
    yield from or_ok("connections", surroundings.connections(budget, live), enough)
    room = f"{budget.locks_held} of about {budget.lock_room} are held"
    yield from or_ok("locks", surroundings.locks(budget), room)


def _server(seen: Examination) -> Iterator[Finding]:
    server = seen.server
    if server is None:
        return
    ours = f"Trickle {seen.trickle_version}, catalog {server.catalog_version}"
    words = f"PostgreSQL {server.server_version}, {ours}"
    if server.server_version_num < OLDEST_SERVER:
        yield Finding("versions", Level.ERROR, words, "Trickle needs PostgreSQL 15 or newer")
    else:
        yield Finding("versions", Level.OK, words)
    if server.is_standby:
        yield Finding("server", Level.WARNING, "this is a standby: nothing is refreshed here", "connect to the primary")
    if seen.is_pooled:
        yield Finding(
            "server",
            Level.WARNING,
            "a connection pooler stands in front of this server",
            "give `trickle worker` a direct address: its locks need a session of their own",
        )
    if server.publications_of_all_tables:
        yield Finding(
            "server",
            Level.WARNING,
            f"published with all tables: {', '.join(server.publications_of_all_tables)}",
            "publish schemas or tables by name, without pgtrickle and pgtrickle_changes",
        )


def _identity(server: ServerFacts | None) -> Iterator[Finding]:
    if server is None:
        yield Finding("identity", Level.ERROR, "the identity row is missing", "run `trickle init` again")
        return
    same = {"cluster": server.same_cluster, "database": server.same_database, "catalog": server.same_catalog}
    other = [name for name, equal in same.items() if not equal]
    if other:
        yield Finding(
            "identity",
            Level.ERROR,
            f"the frontiers were made in another {' and '.join(other)}: this is a copy or a restored dump",
            "run SELECT pgtrickle.restore_stream_tables()",
        )
    else:
        yield Finding("identity", Level.OK, "the frontiers were made in this database")


def _instances(seen: Examination) -> Iterator[Finding]:
    if not seen.instances:
        yield Finding("instances", Level.WARNING, "none is running", "start `trickle worker`")
    for instance in seen.instances:
        if not instance.is_live:
            yield Finding(
                "instances",
                Level.WARNING,
                f"{instance.instance_id} has no session any more: its process is gone, its claims are free",
                "the entry goes away when another instance of the group sees it",
            )
        elif instance.silent_for > SILENT_INSTANCE:
            yield Finding(
                "instances",
                Level.WARNING,
                f"{instance.instance_id} has been silent for {duration(instance.silent_for)}",
                "its peers end its session and take over; look at the process on its host",
            )


def _rights(rights: Iterable[RightsFacts]) -> Iterator[Finding]:
    for table in rights:
        if table.owner_is_superuser and not table.is_superuser:
            yield Finding(
                "rights",
                Level.WARNING,
                f"{table.name} belongs to the superuser {table.owner}: only a superuser may maintain it",
                f"ALTER TABLE {table.name} OWNER TO a role that is no superuser",
            )
        elif not table.is_owner and not table.may_become_owner:
            yield Finding(
                "rights",
                Level.WARNING,
                f"this role may not act as {table.owner}, the owner of {table.name}: "
                "programs are installed by the owner's own sessions only",
                f"GRANT {table.owner} TO the worker's role (from 16 on: WITH INHERIT FALSE, SET TRUE)",
            )


def _capture(capture: Iterable[CaptureFacts]) -> Iterator[Finding]:
    for relation in capture:
        if relation.fault:
            yield Finding(
                "capture",
                Level.ERROR,
                f"{relation.source}: {relation.fault}",
                "the next refresh repairs the triggers and recomputes in full; find out who changed them",
            )


def _states(seen: Examination) -> Iterator[Finding]:
    for table in seen.stream_tables:
        if table.status in ("ERROR", "SUSPENDED"):
            hint = f"mend the cause, then SELECT pgtrickle.resume_stream_table('{table.name}')"
            words = f"{table.name} is {table.status}: {table.last_error_message or 'no message'}"
            yield Finding("stream tables", Level.ERROR, words, hint)
        elif table.consecutive_errors:
            words = f"{table.name} failed {table.consecutive_errors} times: {table.last_error_message}"
            yield Finding("stream tables", Level.WARNING, words, "it is tried again by itself")
        elif table.needs_reinit or not table.is_populated:
            words = f"{table.name} waits for a full refresh"
            yield Finding("stream tables", Level.WARNING, words, "a worker, or `trickle refresh`, does it")


def _programs(seen: Examination) -> Iterator[Finding]:
    for table in seen.stream_tables:
        if table.refresh_mode == "FULL" or table.program_state == "compiled":
            continue
        if table.program_state == "full_only":
            words = f"{table.name} is refreshed in full: {table.program_reason or 'no reason recorded'}"
            yield Finding("programs", Level.WARNING, words, "`trickle explain` shows where the query stops")
        else:
            words = f"{table.name} is refreshed in full until it is compiled ({table.program_state})"
            yield Finding("programs", Level.WARNING, words, "a running worker compiles it")


def _indexes(missing: Iterable[MissingIndex]) -> Iterator[Finding]:
    readers: dict[tuple[str, str], list[str]] = {}
    for index in missing:
        readers.setdefault((index.source_table, index.statement), []).append(index.stream_table)
    for (source, statement), names in readers.items():
        words = f"{', '.join(names)} would look rows of {source} up by an index that is missing"
        yield Finding("indexes", Level.WARNING, words, statement)


def _holders(seen: Examination) -> Iterator[Finding]:
    for holder in seen.holders:
        words = f"{holder.holder} of {holder.role} ({holder.state}) is open for {duration(holder.open_for)}"
        why = "what was captured since it began cannot be pruned"
        yield Finding("transactions", Level.WARNING, words, f"{why}; to end it: {holder.ending}")


def _buffers(buffers: Iterable[BufferFacts]) -> Iterator[Finding]:
    for buffer in buffers:
        if buffer.buffer_bytes > LARGE_BUFFER_BYTES or buffer.pending_rows > LARGE_BUFFER_ROWS:
            words = f"{buffer.source_table}: about {buffer.pending_rows} rows, {buffer.buffer_bytes >> 20} MB"
            hint = "is a worker running, is a stream table suspended, is a transaction open for long?"
            yield Finding("buffers", Level.WARNING, words, hint)
