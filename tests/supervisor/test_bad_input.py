"""Names and addresses as they may come: long, foreign, alike in hash, in use elsewhere, wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.databases import Database
from support.waiting import until

from trickle.errors import ConfigurationError
from trickle.supervisor import WorkerOptions
from trickle.supervisor import options as o

Start = Callable[..., Any]

STRANGE = ["Grüppe 'ä' \"b\"; -- 100%", "🐘 / instance:a=1=2\n", "x" * 1000, "shard:0/4", ""]


def create(conn: psycopg.Connection[Any], schema: str, name: str) -> None:
    conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    quoted = sql.SQL("{}.{}").format(sql.Identifier(schema), sql.Identifier(name)).as_string(conn)
    query = "SELECT sum(v) AS s FROM public.source"
    conn.execute("SELECT pgtrickle.create_stream_table(%s, %s, schedule => '1s')", (quoted, query))


def owners(conn: psycopg.Connection[Any], group: str) -> dict[tuple[str, str], str]:
    query = "SELECT pgt_schema, pgt_name, instance_id FROM pgtrickle.ownership WHERE group_id = %s"
    rows = conn.execute(query, (group,)).fetchall()
    assert len(rows) == len({row[:2] for row in rows})
    return {(schema, name): instance for schema, name, instance in rows}


def are_fresh(conn: psycopg.Connection[Any], tables: list[tuple[str, str]], total: int) -> bool:
    return all(
        conn.execute(sql.SQL("SELECT s FROM {}.{}").format(*map(sql.Identifier, table))).fetchone() == (total,)
        for table in tables
    )


@pytest.mark.parametrize(
    "group",
    [*STRANGE[:3], *(pytest.param(group, marks=pytest.mark.full) for group in STRANGE[3:])],
    ids=["quotes", "others", "long", "shard", "empty"],
)
def test_groups_and_instances_of_any_name(db: Database, start_worker: Start, group: str) -> None:
    tables = [("public", "plain"), ("we.ird", 'na"me 🐘'), ("we", "ird.name"), ("instance:a", "b")]
    with db.connect() as conn:
        conn.execute("CREATE TABLE source (v int)")
        for schema, name in tables:
            create(conn, schema, name)
        instances = {group.strip() or "one", "other=2"}
        for instance in sorted(instances):
            start_worker(group_id=group, instance_id=instance, children=1)
        until(lambda: len(owners(conn, group)) == 4 and set(owners(conn, group).values()) == instances, seconds=30)
        conn.execute("INSERT INTO source VALUES (7)")
        until(lambda: are_fresh(conn, tables, 7), seconds=30)


def test_two_names_in_one_text_are_both_refreshed(db: Database, start_worker: Start) -> None:
    """`a.b`.`c` and `a`.`b.c` are one name to the locks."""
    tables = [("a.b", "c"), ("a", "b.c")]
    with db.connect() as conn:
        conn.execute("CREATE TABLE source (v int)")
        for schema, name in tables:
            create(conn, schema, name)
        for instance in "ab":
            start_worker(instance_id=instance, children=1)
        until(lambda: len(owners(conn, "default")) == 2 and len(set(owners(conn, "default").values())) == 1)
        conn.execute("INSERT INTO source VALUES (7)")
        until(lambda: are_fresh(conn, tables, 7), seconds=30)


def test_two_names_with_one_hash_have_one_owner(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        row = conn.execute(
            "SELECT min(n), max(n) FROM generate_series(1, 300000) AS n"
            " GROUP BY hashtext('public.st_' || n) HAVING count(*) > 1 LIMIT 1"
        ).fetchone()
        assert row is not None
        twins = [("public", f"st_{number}") for number in row]
        tables = [*twins, *(("public", f"other_{number}") for number in range(4))]
        conn.execute("CREATE TABLE source (v int)")
        for schema, name in tables:
            create(conn, schema, name)
        workers = [start_worker(instance_id=instance, children=1) for instance in "abc"]

        def are_shared() -> bool:
            found = owners(conn, "default")
            return len(found) == 6 and len(set(found.values())) == 3

        until(are_shared, seconds=30)
        found = owners(conn, "default")
        assert found[twins[0]] == found[twins[1]]
        conn.execute("INSERT INTO source VALUES (7)")
        until(lambda: are_fresh(conn, tables, 7), seconds=30)
        workers["abc".index(found[twins[0]])].kill()
        until(lambda: len(owners(conn, "default")) == 6, seconds=30)
        conn.execute("INSERT INTO source VALUES (7)")
        until(lambda: are_fresh(conn, tables, 14), seconds=30)


def test_one_instance_id_in_two_groups(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        conn.execute("CREATE TABLE source (v int)")
        create(conn, "public", "st")
        workers = [start_worker(group_id=group, instance_id="same", children=1) for group in ("blue", "green")]
        until(lambda: owners(conn, "blue") == owners(conn, "green") == {("public", "st"): "same"}, seconds=30)
        workers[0].terminate()
        assert workers[0].wait() == o.EXIT_DRAINED
        rows = conn.execute("SELECT group_id, is_live FROM pgtrickle.instances").fetchall()
        assert rows == [("green", True)]
        assert not workers[1].said("the lock session is lost: all claims are dropped")


def test_a_role_without_rights_is_a_configuration_error(db: Database, start_worker: Start) -> None:
    role = db.create_role("stranger")
    for right in ("", "USAGE"):
        if right:
            with db.connect() as conn:
                conn.execute(sql.SQL("GRANT USAGE ON SCHEMA pgtrickle TO {}").format(sql.Identifier(role)))
        worker = start_worker(url=db.url_as(role))
        assert worker.wait() == o.EXIT_CONFIGURATION
        assert "may not use the Trickle catalog" in worker.said("cannot work")[0]["error"]


def test_a_database_that_is_not_there_ends_the_start(db: Database, start_worker: Start) -> None:
    worker = start_worker(url=db.server.url("no such database"), startup_seconds=1)
    assert worker.wait() == o.EXIT_UNREACHABLE
    assert "does not exist" in worker.said("the server does not answer yet")[0]["error"]


@pytest.mark.parametrize("value", ["a\0b", "\udcff", "x" * 1001, "ä" * 501])
@pytest.mark.parametrize("name", ["group_id", "instance_id"])
def test_what_no_catalog_can_hold_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        WorkerOptions("", **{name: value})  # type: ignore[arg-type]
