"""What the instance reads from the database: one statement per kind of fact, made into frozen values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.rows import dict_row

from trickle.errors import ConfigurationError, DefinitionError
from trickle.relay.protocol import PipelineRow
from trickle.scheduler.schedule import Calculated, Schedule, parse_schedule
from trickle.scheduler.table import Table, Tier
from trickle.sql import load
from trickle.supervisor.claims import Member
from trickle.supervisor.pruning import Buffer

_Conn = Connection[Any]
_Default = TypeVar("_Default")


@dataclass(frozen=True, slots=True)
class Database:
    """Where we are."""

    oid: int
    name: str


@dataclass(frozen=True, slots=True)
class Glance:
    """Everything that may have changed since the last tick."""

    in_recovery: bool
    database_now: datetime
    is_identical: bool
    catalog_token: str | None  # None: not looked at
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All stream tables, and the lock key of each name."""

    tables: tuple[Table, ...]
    keys: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Pipelines:
    """All pipelines that are enabled, and the lock key of each name."""

    rows: Mapping[str, PipelineRow]
    keys: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sources:
    """What can give one stream table something to do."""

    captured: frozenset[int]
    bell_of: Mapping[int, int]  # of those whose writers ring
    are_audible: bool  # whether nothing else can, but the refreshes of other stream tables


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """The settings of this database that concern an instance."""

    enabled: bool = True
    scheduler_interval_ms: int = 1000
    tiered_scheduling: bool = True
    enable_fused_refresh: bool = True
    max_fixpoint_iterations: int = 100
    auto_backoff: bool = True
    event_driven_wake: bool | None = None  # None: as the server allows
    wake_debounce_ms: int = 10
    max_dynamic_refresh_workers: int = 0
    max_concurrent_refreshes: int | None = None
    per_database_worker_quota: int = 0
    parallel_refresh_mode: str = "on"
    may_notify: bool = True  # a transaction that has notified cannot be prepared for two-phase commit


def read_database(conn: _Conn) -> Database:
    """The identity of the database; refuses one without the catalog, or without the right to read it."""
    row = conn.execute(load("queries/instance_database")).fetchone()
    if row is None or not row[2]:
        raise ConfigurationError(
            f"the database {row[1] if row else '?'} has no Trickle catalog",
            hint="run `trickle init` on it first",
        )
    if not row[3]:
        raise ConfigurationError(
            "the connecting role may not use the Trickle catalog",
            hint="connect as the owner of the catalog or as a member of that role",
        )
    return Database(int(row[0]), str(row[1]))


def glance(conn: _Conn, group_id: str, token: str | None) -> Glance:
    """`token` names the statement whose answer is another one when the catalog is; None: that is not asked."""
    row = conn.execute(load("queries/instance_glance"), {"group_id": group_id}).fetchone()
    assert row is not None
    in_recovery, database_now, is_identical, members = row
    said = conn.execute(load(f"queries/{token}")).fetchone() if token is not None else None
    return Glance(in_recovery, database_now, is_identical, said[0] if said else None, tuple(map(_member, members)))


def read_catalog(conn: _Conn) -> Catalog:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load("queries/instance_catalog")).fetchall()
    tables = tuple(table_of(row) for row in rows)
    keys = {table.full_name: int(row["name_key"]) for table, row in zip(tables, rows, strict=True)}
    return Catalog(tables, keys)


def read_pipelines(conn: _Conn) -> Pipelines:
    rows: dict[str, PipelineRow] = {}
    keys: dict[str, int] = {}
    for name, direction, outbox, group, inbox, enabled, connector, options, key in conn.execute(
        load("queries/relay_pipelines")
    ):
        if enabled:
            rows[name] = PipelineRow(name, direction, outbox, group, inbox, connector, options)
            keys[name] = int(key)
    return Pipelines(rows, keys)


def read_settings(conn: _Conn) -> DatabaseSettings:
    names = list(DatabaseSettings.__dataclass_fields__)
    return settings_of(conn.execute(load("queries/instance_settings"), {"names": names}).fetchall())


def settings_of(rows: Iterable[Sequence[Any]]) -> DatabaseSettings:
    """Names and values made into settings.

    What cannot be read as its type counts as not set: a typing error must not stop every refresh.
    """
    found = {str(name): str(value).strip().lower() for name, value in rows}
    default = DatabaseSettings()
    return DatabaseSettings(
        enabled=_boolean(found.get("enabled"), default.enabled),
        scheduler_interval_ms=_milliseconds(
            found.get("scheduler_interval_ms"), default.scheduler_interval_ms, 100, 600_000
        ),
        tiered_scheduling=_boolean(found.get("tiered_scheduling"), default.tiered_scheduling),
        enable_fused_refresh=_boolean(found.get("enable_fused_refresh"), default.enable_fused_refresh),
        max_fixpoint_iterations=_number(found.get("max_fixpoint_iterations"), 100, 1, 10_000),
        auto_backoff=_boolean(found.get("auto_backoff"), default.auto_backoff),
        event_driven_wake=_boolean(found.get("event_driven_wake"), None),
        wake_debounce_ms=_milliseconds(found.get("wake_debounce_ms"), default.wake_debounce_ms, 1, 5000),
        max_dynamic_refresh_workers=_number(found.get("max_dynamic_refresh_workers"), 0, 0, 64),
        max_concurrent_refreshes=_number(found.get("max_concurrent_refreshes"), None, 1, 64),
        per_database_worker_quota=_number(found.get("per_database_worker_quota"), 0, 0, 64),
        parallel_refresh_mode=_parallel_mode(found.get("parallel_refresh_mode")),
        may_notify=found.get("may_notify") != "off",
    )


def read_keys(conn: _Conn, group_id: str, names: Collection[str]) -> dict[str, int]:
    """The lock keys of names."""
    if not names:
        return {}
    parameters = {"groups": [group_id] * len(names), "names": sorted(names)}
    return {name: int(key) for _, name, _, key in conn.execute(load("queries/lock_keys"), parameters).fetchall()}


def read_lock_table(conn: _Conn) -> int:
    """How many locks the server has room for, for everybody together."""
    row = conn.execute(load("queries/instance_lock_table")).fetchone()
    assert row is not None
    return int(row[0])


def read_conflicts(conn: _Conn, group_id: str, pgt_ids: Collection[int], backend_pid: int) -> frozenset[int]:
    """Those of these stream tables that others of the group hold under another claim."""
    parameters = {"group_id": group_id, "pgt_ids": sorted(pgt_ids), "backend_pid": backend_pid}
    return frozenset(pgt_id for (pgt_id,) in conn.execute(load("queries/instance_conflicts"), parameters).fetchall())


def read_pending(conn: _Conn, pgt_ids: Collection[int]) -> frozenset[int]:
    """Those of these stream tables that have something to do, be it that a source was altered."""
    return _ids(conn, "queries/instance_pending", pgt_ids)


def read_altered(conn: _Conn, pgt_ids: Collection[int]) -> frozenset[int]:
    """Those of these stream tables that are altered, or whose sources are: no writer tells that."""
    return _ids(conn, "queries/instance_altered", pgt_ids)


def read_captured(conn: _Conn, pgt_ids: Collection[int]) -> frozenset[int]:
    """Those of these stream tables for which their sources' writers have left changes."""
    return _ids(conn, "queries/wake_look", pgt_ids)


def read_sources(conn: _Conn) -> dict[int, Sources]:
    """What every stream table listens to."""
    rows = conn.execute(load("queries/wake_wiring")).fetchall()
    return {
        int(pgt_id): Sources(
            frozenset(sources),
            {source: bell for source, bell in zip(sources, bells, strict=True) if bell is not None},
            bool(are_audible),
        )
        for pgt_id, sources, bells, are_audible in rows
    }


def _ids(conn: _Conn, query: str, pgt_ids: Collection[int]) -> frozenset[int]:
    if not pgt_ids:
        return frozenset()
    return frozenset(int(row[0]) for row in conn.execute(load(query), {"pgt_ids": list(pgt_ids)}).fetchall())


def read_buffers(conn: _Conn, source_ids: Collection[int] | None) -> list[Buffer]:
    """The change buffers of these sources, or of all."""
    parameters = {"source_ids": None if source_ids is None else list(source_ids)}
    rows = conn.execute(load("queries/instance_sources"), parameters).fetchall()
    return [Buffer(int(source_id), int(written), bool(is_new)) for source_id, written, is_new in rows]


def _member(text: str) -> Member:
    instance_id, capacity, lock_budget = text.rsplit("=", 2)
    return Member(instance_id, int(capacity), int(lock_budget))


def table_of(row: Mapping[str, Any]) -> Table:
    """One row of the catalog, by column."""
    return Table(
        pgt_id=row["pgt_id"],
        schema=row["pgt_schema"],
        name=row["pgt_name"],
        schedule=_schedule(row["schedule"]),
        tier=Tier(row["refresh_tier"]),
        refresh_mode=row["refresh_mode"],
        status=row["status"],
        is_populated=row["is_populated"],
        needs_reinit=row["needs_reinit"],
        program_state=row["program_state"],
        program_version=row["program_version"],
        last_refresh_at=row["last_refresh_at"],
        consecutive_errors=row["consecutive_errors"],
        upstream=frozenset(row["upstream"]),
        sources=frozenset(row["sources"]),
        is_atomic=row["is_atomic"],
        is_slowest=row["is_slowest"],
        refresh_group=row["refresh_group"],
        group_has_one_snapshot=row["group_has_one_snapshot"],
        held=row["held"],
        deadline_seconds=row["deadline_seconds"],
    )


def _schedule(text: str | None) -> Schedule:
    try:
        return parse_schedule(text)
    except DefinitionError:
        # Refused at creation, so someone wrote the catalog by hand: keep the table fresh rather than
        # forgotten.
        return Calculated()


def _milliseconds(text: str | None, default: int, least: int, most: int) -> int:
    number = (text or "").removesuffix("ms").strip()
    return min(max(int(number), least), most) if number.isdigit() else default


def _boolean(text: str | None, default: _Default) -> bool | _Default:
    if text in ("on", "true", "yes", "1", "t", "y"):
        return True
    return False if text in ("off", "false", "no", "0", "f", "n") else default


_Number = TypeVar("_Number", int, int | None)


def _number(text: str | None, default: _Number, low: int, high: int) -> int | _Number:
    return min(max(int(text), low), high) if text is not None and text.isdecimal() else default


def _parallel_mode(text: str | None) -> str:
    return text if text in ("dry_run", "off") else "on"
