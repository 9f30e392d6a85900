"""Schemas of jobs: the same queues as those of pgtrickle, each of its tenant alone.

Lies it would catch: a function of a tenant's schema that reads or writes another's jobs; a bell, a runner's number or
an ordering key that two tenants share; a role that reaches beyond its own; a table that is a little different.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, InvalidName, ObjectNotInPrerequisiteState
from support.databases import Database
from support.runners import await_that, running

import trickle
from trickle.db.job_schema import channel, private
from trickle.jobs.registry import Registry

Conn = psycopg.Connection[Any]
SCHEMAS = ("tenant_a", "Tenant B-ß")
RING = "SELECT pgtrickle.set_config('event_driven_wake', 'on')"


@pytest.fixture
def conn(db: Database) -> Iterator[Conn]:
    with db.connect() as connection:
        for schema in SCHEMAS:
            connection.execute("SELECT pgtrickle.create_job_schema(%s)", (schema,))
        yield connection


@pytest.fixture
def registry() -> Registry:
    return Registry()


def call(conn: Conn, schema: str, function: str, *values: object) -> Any:
    statement = sql.SQL("SELECT {}({})").format(
        sql.Identifier(schema, private(function, schema) if function[0] == "_" else function),
        sql.SQL(", ").join(sql.Placeholder() * len(values)),
    )
    row = conn.execute(statement, values).fetchone()
    return row and row[0]


def states(conn: Conn, schema: str) -> dict[str, int]:
    statement = sql.SQL("SELECT state, count(*) FROM {} GROUP BY 1").format(sql.Identifier(schema, "job"))
    return dict(conn.execute(statement).fetchall())


def test_every_function_of_jobs_is_in_the_list(conn: Conn) -> None:
    tables, functions = conn.execute("SELECT * FROM pgtrickle._job_schema_objects()").fetchone() or ([], [])
    mentions = re.compile(rf"\bpgtrickle\.({'|'.join(tables + functions)})\b")
    rows = conn.execute(
        "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'pgtrickle'::regnamespace"
        " AND prokind = 'f'"
    ).fetchall()
    assert {name for name, text in rows if mentions.search(text)} == set(functions)


def test_nothing_of_it_is_somebody_else_s(conn: Conn) -> None:
    for schema in SCHEMAS:
        rows = conn.execute(
            "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = %s::regnamespace",
            (sql.Identifier(schema).as_string(None),),
        ).fetchall()
        assert len(rows) > 30
        foreign = re.compile(r"\bpgtrickle\b(?!\._valid_cron|_tenant|_job_)|188582897")
        found = {(name, hit[0]) for name, text in rows for hit in foreign.finditer(text)}
        assert not found


def test_no_two_schemas_have_a_function_of_the_same_name_that_only_we_call(conn: Conn) -> None:
    """A session that calls one would load those of all schemas."""
    rows = conn.execute(
        "SELECT p.proname, count(DISTINCT p.pronamespace) FROM pg_proc p"
        " WHERE p.pronamespace = ANY (%s::regnamespace[]) AND starts_with(p.proname, '_') GROUP BY 1",
        ([sql.Identifier(schema).as_string(None) for schema in ("pgtrickle", *SCHEMAS)],),
    ).fetchall()
    names = dict(rows)
    assert set(names.values()) == {1}
    for schema in SCHEMAS:
        assert private("_lease_jobs", schema) in names
        assert call(conn, "pgtrickle", "_job_private", schema) == private("", schema)


def test_its_tables_are_the_same(conn: Conn) -> None:
    def shape(schema: str) -> Any:
        return conn.execute(
            """
            SELECT c.relname, c.reloptions::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                   a.attidentity, pg_get_expr(d.adbin, d.adrelid)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind = 'r'
              AND c.relname = ANY ((pgtrickle._job_schema_objects()).tables) ORDER BY c.relname, a.attnum
            """,
            {"schema": sql.Identifier(schema).as_string(None)},
        ).fetchall()

    def indexes(schema: str) -> Any:
        rows = conn.execute(
            "SELECT tablename, regexp_replace(indexdef, '^.* USING ', '') FROM pg_indexes WHERE schemaname = %s"
            " AND tablename = ANY ((pgtrickle._job_schema_objects()).tables)",
            (schema,),
        ).fetchall()
        return sorted(rows)

    for schema in SCHEMAS:
        assert shape(schema) == shape("pgtrickle")
        assert indexes(schema) == indexes("pgtrickle")


def test_jobs_of_each_are_done_by_its_own_runner(db: Database, conn: Conn) -> None:
    """Queues, keys and names are the same everywhere; nothing but the schema tells them apart."""
    everywhere = ("pgtrickle", *SCHEMAS)
    for number, schema in enumerate(everywhere):
        trickle.enqueue_many(conn, "q", [{"of": schema}] * 5, schema=schema)
        for _ in range(3):
            trickle.enqueue(conn, "q", {"of": schema}, schema=schema, ordering_key="k")
        assert trickle.enqueue(conn, "q", {"of": schema}, schema=schema, singleton_key="s")
        assert trickle.enqueue(conn, "q", {"of": schema}, schema=schema, singleton_key="s") is None
        trickle.enqueue(conn, "broken", {"of": schema}, schema=schema, retry_limit=0, dead_letter="dead")
        call(conn, schema, "schedule_job", f"each {number}", "* * * * * *", "ticks")
    for schema in everywhere:
        registry = Registry()
        seen: list[Any] = []
        ticks: list[Any] = []
        registry.job("q")(seen.append)
        registry.job("ticks")(ticks.append)
        registry.job("broken")(lambda data: 1 / 0)
        with running(db.url, registry, schema):
            await_that(lambda seen=seen, ticks=ticks: len(seen) == 9 and ticks, f"all of {schema}")
            await_that(lambda schema=schema: states(conn, schema).get("failed") == 1)
        assert {data["of"] for data in seen} == {schema}
        assert call(conn, schema, "redrive", "dead") == 1
    assert [states(conn, schema)["failed"] for schema in everywhere] == [1, 1, 1]


def test_bells_of_two_tenants_are_two(db: Database, conn: Conn, registry: Registry) -> None:
    """Each runner sleeps, and is woken by its own schema, whatever others do."""
    conn.execute(RING)
    armed = "SELECT count(*) FROM pg_locks WHERE classid = %s::int::oid AND mode = 'ExclusiveLock' AND objid < 128"
    classes = {schema: call(conn, schema, "_job_bell_class") for schema in SCHEMAS}
    assert len(set(classes.values())) == 2
    for schema in ("pgtrickle", *SCHEMAS):
        assert call(conn, "pgtrickle", "_job_bell_class_of", schema) == call(conn, schema, "_job_bell_class")
    woken: list[Any] = []
    registry.job("q")(woken.append)
    first, other = SCHEMAS
    with running(db.url, registry, first), running(db.url, registry, other):
        for schema in SCHEMAS:
            await_that(lambda schema=schema: conn.execute(armed, (classes[schema],)).fetchone() == (1,))
        for turn, schema in enumerate((first, other, first), start=1):
            trickle.enqueue(conn, "q", schema, schema=schema)
            await_that(lambda turn=turn: len(woken) == turn)
    assert woken == [first, other, first]


def test_channels_are_named_alike_on_both_sides(conn: Conn) -> None:
    for schema in ("pgtrickle", *SCHEMAS):
        assert conn.execute("SELECT pgtrickle._job_channel(%s)", (schema,)).fetchone() == (channel(schema),)


def test_a_role_runs_the_jobs_of_its_schema_and_nothing_else(db: Database, conn: Conn, registry: Registry) -> None:
    role = db.create_role("tenant")
    conn.execute("SELECT pgtrickle.create_job_schema(%s, %s)", (SCHEMAS[0], role))
    conn.execute(RING)
    seen: list[Any] = []
    registry.job("q")(seen.append)
    with db.connect_as(role) as tenant:
        trickle.enqueue(tenant, "q", 7, schema=SCHEMAS[0])
        call(tenant, SCHEMAS[0], "schedule_job", "often", "* * * * * *", "q", "8")
        with running(db.url_as(role), registry, SCHEMAS[0]):
            await_that(lambda: {7, 8} <= set(seen))
        for refused in (
            sql.SQL("SELECT * FROM {}").format(sql.Identifier(SCHEMAS[1], "job")),
            sql.SQL("SELECT {}('q')").format(sql.Identifier(SCHEMAS[1], "enqueue")),
            sql.SQL("SELECT pgtrickle.enqueue('q')"),
            sql.SQL("SELECT * FROM pgtrickle.job"),
            sql.SQL("CREATE FUNCTION {}() RETURNS int RETURN 1").format(sql.Identifier(SCHEMAS[0], "mine")),
        ):
            with pytest.raises(InsufficientPrivilege):
                tenant.execute(refused)


def probe(conn: Conn, *schemas: str) -> dict[str, tuple[bool, float | None, str | None]]:
    rows = conn.execute("SELECT * FROM pgtrickle._probe_job_schemas(%s)", (list(schemas),)).fetchall()
    return {schema: (has_work, seconds, problem) for schema, has_work, seconds, problem in rows}


def test_a_probe_says_what_a_runner_would_find(db: Database, conn: Conn) -> None:
    a, b = SCHEMAS
    assert probe(conn, a, b) == {a: (False, None, None), b: (False, None, None)}
    trickle.enqueue(conn, "q", schema=a)
    assert probe(conn, a, b) == {a: (True, None, None), b: (False, None, None)}
    call(conn, b, "enqueue_debounced", "q", "key", "1 hour")
    has_work, seconds, problem = probe(conn, b)[b]
    assert (has_work, problem) == (False, None) and seconds is not None and 3590 < seconds <= 3600
    call(conn, b, "schedule_job", "daily", "@daily", "q")
    assert probe(conn, b)[b][0], "a schedule that nobody has planned"


def test_a_probe_tells_the_living_from_the_dead(db: Database, conn: Conn) -> None:
    """A job in hand is somebody's as long as its runner's session lasts."""
    schema = SCHEMAS[0]
    trickle.enqueue(conn, "q", schema=schema)
    with db.connect() as runner:
        runner.execute("SELECT pg_try_advisory_lock(%s, 7)", (call(conn, schema, "_job_worker_class"),))
        assert call(conn, schema, "_lease_jobs", ["q"], 7, 1)
        assert probe(conn, schema)[schema] == (False, 5.0, None)
    await_that(lambda: probe(conn, schema)[schema][0], "the runner's session is seen to be gone")


def test_a_schema_that_cannot_be_probed_is_nobody_else_s_problem(conn: Conn) -> None:
    trickle.enqueue(conn, "q", schema=SCHEMAS[1])
    conn.execute("DROP SCHEMA tenant_a CASCADE")
    found = probe(conn, *SCHEMAS)
    assert found[SCHEMAS[1]] == (True, None, None)
    assert found[SCHEMAS[0]][0] is False and "tenant_a" in (found[SCHEMAS[0]][2] or "")


def test_who_holds_the_bell_of_a_schema_is_told_of_everything(db: Database, conn: Conn) -> None:
    schema = SCHEMAS[1]
    with db.connect() as supervisor:
        supervisor.execute("LISTEN pgtrickle_tenant")
        supervisor.execute("SELECT pg_advisory_lock(%s, 128)", (call(conn, schema, "_job_bell_class"),))
        trickle.enqueue(conn, "q", schema=SCHEMAS[0])
        for tell in (
            lambda: trickle.enqueue(conn, "q", schema=schema),
            lambda: trickle.enqueue_many(conn, "q", [1], schema=schema),
            lambda: call(conn, schema, "enqueue_throttled", "q", "key", "1 hour"),
            lambda: call(conn, schema, "enqueue_debounced", "q", "key", "1 hour"),
            lambda: call(conn, schema, "schedule_job", "daily", "@daily", "q"),
        ):
            tell()
            [notice] = supervisor.notifies(timeout=30, stop_after=1)
            assert notice.payload == schema
        supervisor.execute("SELECT pg_advisory_unlock(%s, 128)", (call(conn, schema, "_job_bell_class"),))
        trickle.enqueue(conn, "q", schema=schema)
        assert list(supervisor.notifies(timeout=0.2)) == []


def test_made_again_its_functions_are_new_and_its_jobs_are_kept(conn: Conn) -> None:
    trickle.enqueue(conn, "q", schema="tenant_a")
    ring = f"tenant_a.{private('_ring_tenant', 'tenant_a')}()"
    conn.execute(f"CREATE OR REPLACE FUNCTION {ring} RETURNS void LANGUAGE sql RETURN NULL".encode())
    conn.execute("SELECT pgtrickle.create_job_schema('tenant_a')")
    assert states(conn, "tenant_a") == {"created": 1}
    row = conn.execute("SELECT prosrc ~ 'pg_notify' FROM pg_proc WHERE oid = %s::regprocedure", (ring,))
    assert row.fetchone() == (True,)


def test_a_schema_with_jobs_is_not_dropped_unless_forced(conn: Conn) -> None:
    trickle.enqueue(conn, "q", schema="tenant_a")
    with pytest.raises(ObjectNotInPrerequisiteState, match="not ended"):
        conn.execute("SELECT pgtrickle.drop_job_schema('tenant_a')")
    assert conn.execute("SELECT pgtrickle.drop_job_schema('tenant_a', force => true)").fetchone() == (True,)
    assert conn.execute("SELECT pgtrickle.drop_job_schema('tenant_a')").fetchone() == (False,)
    assert conn.execute("SELECT schema_name FROM pgtrickle.job_schemas").fetchall() == [(SCHEMAS[1],)]


@pytest.mark.parametrize("name", ["", "it's", 'a"b', "a$b", "a%b", "pg_jobs", "pgtrickle", "pgtrickle_x", "x" * 64])
def test_names_that_cannot_be(conn: Conn, name: str) -> None:
    with pytest.raises(InvalidName, match="cannot be the name"):
        conn.execute("SELECT pgtrickle.create_job_schema(%s)", (name,))


def test_a_schema_of_somebody_else_is_refused(db: Database, conn: Conn) -> None:
    with db.superuser() as admin:
        admin.execute("CREATE SCHEMA theirs")
    with pytest.raises(InsufficientPrivilege, match="belongs to somebody else"):
        conn.execute("SELECT pgtrickle.create_job_schema('theirs')")
