"""Diamonds and refresh groups as SQL shows and makes them; the scheduler must find the same diamonds."""

from __future__ import annotations

import random

import pytest
from psycopg import errors
from support.databases import Database

from trickle.scheduler.units import Kind, divide
from trickle.supervisor.observe import read_catalog

from .conftest import Connection, one


def create(conn: Connection, name: str, *reads: str, **options: str) -> None:
    """A stream table that reads these, for the graph alone."""
    query = " UNION ALL ".join(f"SELECT id FROM {source}" for source in reads)
    more = "".join(f", {key} => '{value}'" for key, value in options.items())
    options_given = f"schedule => '1h', initialize => false{more}"
    conn.execute(f"SELECT pgtrickle.create_stream_table('{name}', $q${query}$q$, {options_given})".encode())


@pytest.fixture
def sources(conn: Connection) -> Connection:
    for name in ("x", "y"):
        conn.execute(f"CREATE TABLE {name} (id int PRIMARY KEY)".encode())
    return conn


def groups(conn: Connection) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for number, name in conn.execute("SELECT group_id, member_name FROM pgtrickle.diamond_groups()").fetchall():
        found.setdefault(number, set()).add(name)
    return found


def test_a_diamond(sources: Connection) -> None:
    create(sources, "l", "x")
    create(sources, "r", "x")
    create(sources, "top", "l", "r", diamond_schedule_policy="slowest")
    create(sources, "apart", "y", "top")
    assert sources.execute("SELECT * FROM pgtrickle.diamond_groups()").fetchall() == [
        (1, "l", "public", False, 0, "slowest"),
        (1, "r", "public", False, 0, "slowest"),
        (1, "top", "public", True, 0, "slowest"),
    ]
    sources.execute("SELECT pgtrickle.alter_stream_table('l', diamond_consistency => 'none')")
    assert groups(sources) == {}


@pytest.mark.parametrize("seed", range(6))
def test_the_scheduler_finds_the_same_diamonds(sources: Connection, seed: int) -> None:
    chance = random.Random(seed)
    names: list[str] = []
    for number in range(9):
        above = chance.sample(names, min(len(names), chance.choice([0, 1, 2, 2, 3])))
        base = chance.sample(["x", "y"], 1) if not above or chance.random() < 0.2 else []
        atomic = "none" if chance.random() < 0.15 else "atomic"
        create(sources, f"t{number}", *above, *base, diamond_consistency=atomic)
        names.append(f"t{number}")
    tables = {table.pgt_id: table for table in read_catalog(sources).tables}
    division = divide(tables)
    joined = {
        frozenset(tables[i].name for i in unit.members) for unit in division.units if unit.kind is Kind.ATOMIC_GROUP
    }
    shown = {frozenset(members) for members in groups(sources).values()}
    # The scheduler makes one unit of groups that it could not order otherwise.
    assert all(any(group <= unit for unit in joined) for group in shown)
    assert all(any(group <= unit for group in shown) for unit in joined)
    assert all(shown_group & unit in (frozenset(), shown_group) for shown_group in shown for unit in joined)


def test_a_refresh_group_is_made_listed_and_dropped(sources: Connection) -> None:
    for name in ("a", "b", "c"):
        create(sources, name, "x")
    number = one(sources, "SELECT pgtrickle.create_refresh_group('g', ARRAY['a', 'public.b'], 'repeatable_read')")
    row = sources.execute(
        "SELECT group_id, group_name, member_count, isolation FROM pgtrickle.refresh_groups()"
    ).fetchone()
    assert row == (number, "g", 2, "repeatable_read")
    (unit,) = (
        unit for unit in divide({t.pgt_id: t for t in read_catalog(sources).tables}).units if len(unit.members) > 1
    )
    assert (unit.kind, unit.has_one_snapshot, unit.name) == (Kind.REPEATABLE_READ_GROUP, True, "rg:1,2")
    sources.execute("SELECT pgtrickle.drop_stream_table('a')")
    assert one(sources, "SELECT member_count FROM pgtrickle.refresh_groups()") == 1
    sources.execute("SELECT pgtrickle.drop_refresh_group('g')")
    assert sources.execute("SELECT * FROM pgtrickle.refresh_groups()").fetchall() == []
    with pytest.raises(errors.UndefinedTable, match="refresh group 'g' does not exist"):
        sources.execute("SELECT pgtrickle.drop_refresh_group('g')")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("'', ARRAY['a', 'b']", "needs a name"),
        ("'g', ARRAY['a']", "two different members"),
        ("'g', ARRAY['a', 'public.a']", "two different members"),
        ("'g', NULL", "two different members"),
        ("'g', ARRAY['a', 'b'], 'serializable'", "isolation"),
        ("'g', ARRAY['a', 'nobody']", "stream table not found: public.nobody"),
        ("'g', ARRAY['a', 'taken']", 'is a member of refresh group "other"'),
        ("'g', ARRAY['a', 'now']", "IMMEDIATE"),
        ("'other', ARRAY['a', 'b']", "already"),
    ],
)
def test_what_is_no_group_is_refused(sources: Connection, call: str, message: str) -> None:
    for name in ("a", "b", "taken", "too"):
        create(sources, name, "x")
    create(sources, "now", "x", refresh_mode="IMMEDIATE")
    sources.execute("SELECT pgtrickle.create_refresh_group('other', ARRAY['taken', 'too'])")
    with pytest.raises(errors.InvalidParameterValue, match=message):
        sources.execute(f"SELECT pgtrickle.create_refresh_group({call})".encode())


def test_only_who_owns_the_members_may_put_them_together(db: Database, sources: Connection) -> None:
    create(sources, "a", "x")
    create(sources, "b", "x")
    clerk = db.create_role()
    with db.superuser() as admin:
        admin.execute(f"ALTER TABLE a OWNER TO {clerk}".encode())
    with pytest.raises(errors.InsufficientPrivilege):
        sources.execute("SELECT pgtrickle.create_refresh_group('g', ARRAY['a', 'b'])")
