"""Stream tables that read each other: the least fixed point, whatever comes and goes. Oracle: WITH RECURSIVE."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors
from support.databases import Database

import trickle
from trickle.db.session import connect
from trickle.errors import TrickleError
from trickle.worker.bench import Limits, Workbench
from trickle.worker.child import attempt
from trickle.worker.protocol import Compile, Done, Failed, RefreshTogether

Connection = psycopg.Connection[Any]

REACH = "SELECT a, b FROM edge UNION SELECT e.a, h.b FROM edge e JOIN hop h ON h.a = e.b"
HOP = "SELECT a, b FROM reach"
ORACLE = (
    "WITH RECURSIVE r AS (SELECT a, b FROM edge UNION SELECT e.a, r.b FROM edge e JOIN r ON r.a = e.b)"
    " SELECT a, b FROM r"
)
CYCLE = RefreshTogether((1, 2), cycles=((1, 2),), has_one_snapshot=True)


def compile_both(db: Database) -> None:
    bench = Workbench.prepare(connect(db.url, role="refresh"), False, Limits())
    for pgt_id in (1, 2):
        answer = attempt(bench, Compile(pgt_id))
        assert isinstance(answer, Done) and answer.outcome.action == "compiled", answer
    bench.close()


@pytest.fixture
def owner(db: Database) -> Iterator[Connection]:
    """`reach` and `hop` read each other: which node is reached from which."""
    with db.connect() as conn:
        conn.execute("CREATE TABLE edge (id serial PRIMARY KEY, a int NOT NULL, b int NOT NULL)")
        conn.execute("INSERT INTO edge (a, b) VALUES (1, 2), (2, 3), (8, 9)")
        conn.execute("SELECT pgtrickle.set_config('allow_circular', 'on')")
        with trickle.connect(db.url) as client:
            client.create_stream_table("reach", "SELECT a, b FROM edge", refresh_mode="DIFFERENTIAL")
            client.create_stream_table("hop", HOP, refresh_mode="DIFFERENTIAL")
            client.alter_stream_table("reach", query=REACH)
        compile_both(db)
        yield conn


@pytest.fixture
def bench(db: Database) -> Iterator[Workbench]:
    opened = Workbench.prepare(connect(db.url, role="refresh"), False, Limits())
    yield opened
    opened.close()


def is_least(conn: Connection) -> bool:
    """Whether both hold what is reached, once each, and nothing else."""
    for name in ("reach", "hop"):
        differ = (
            f"(SELECT a, b FROM {name} EXCEPT ALL ({ORACLE})) UNION ALL (({ORACLE}) EXCEPT ALL SELECT a, b FROM {name})"
        )
        if conn.execute(f"SELECT count(*) FROM ({differ}) x".encode()).fetchone() != (0,):
            return False
    return True


def settle(bench: Workbench) -> Done:
    answer = attempt(bench, CYCLE)
    assert isinstance(answer, Done), answer
    return answer


def test_rows_come_and_go(owner: Connection, bench: Workbench) -> None:
    settle(bench)
    assert is_least(owner)
    for write in (
        "INSERT INTO edge (a, b) VALUES (3, 4), (4, 5)",
        "INSERT INTO edge (a, b) VALUES (5, 1)",  # a ring: each is reached from each
        "DELETE FROM edge WHERE (a, b) = (5, 1)",  # what only the ring held up must go
        "UPDATE edge SET b = 8 WHERE (a, b) = (4, 5)",
        "TRUNCATE edge",
        "INSERT INTO edge (a, b) VALUES (1, 1)",
        "DELETE FROM edge",
    ):
        owner.execute(write.encode())
        settle(bench)
        assert is_least(owner), write
    assert settle(bench).outcome.action == "NO_DATA"


@pytest.mark.parametrize("seed", range(3))
def test_random_graphs(owner: Connection, bench: Workbench, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(12):
        for _ in range(chance.randint(1, 4)):
            if chance.random() < 0.6:
                pair = (chance.randrange(7), chance.randrange(7))
                owner.execute("INSERT INTO edge (a, b) VALUES (%s, %s)", pair)
            else:
                owner.execute("DELETE FROM edge WHERE id = (SELECT id FROM edge ORDER BY random() LIMIT 1)")
        settle(bench)
        assert is_least(owner)


def test_added_rows_do_not_begin_from_nothing(owner: Connection, bench: Workbench) -> None:
    settle(bench)
    owner.execute("INSERT INTO edge (a, b) VALUES (3, 4)")
    assert settle(bench).outcome.rows_deleted == 0
    owner.execute("DELETE FROM edge WHERE (a, b) = (3, 4)")
    assert settle(bench).outcome.rows_inserted > 0


@pytest.mark.parametrize("how", ["by hand", "a new program"])
def test_a_refresh_of_one_alone_is_noticed(db: Database, owner: Connection, bench: Workbench, how: str) -> None:
    """It takes the row that went, and then nobody would see that what rests on it has to go."""
    owner.execute("INSERT INTO edge (a, b) VALUES (3, 1)")
    settle(bench)
    owner.execute("DELETE FROM edge WHERE (a, b) = (3, 1)")
    if how == "by hand":
        owner.execute("SELECT pgtrickle.refresh_stream_table('reach')")
    else:
        owner.execute("UPDATE pgtrickle.pgt_stream_tables SET program_state = 'stale'")
        compile_both(db)
        owner.execute("SELECT pgtrickle.refresh_stream_table('reach')")
    settle(bench)
    assert is_least(owner)


def test_who_reads_a_cycle_sees_only_what_changed(db: Database, owner: Connection, bench: Workbench) -> None:
    settle(bench)
    with trickle.connect(db.url) as client:
        client.create_stream_table("fans", "SELECT b, count(*) AS n FROM reach GROUP BY b", refresh_mode="DIFFERENTIAL")
        owner.execute("DELETE FROM edge WHERE (a, b) = (8, 9)")
        settle(bench)
        outcome = client.refresh_stream_table("fans")
        assert client.verify("fans").equal
    assert (outcome.rows_inserted, outcome.rows_updated, outcome.rows_deleted) == (0, 0, 1)


def test_what_the_catalog_says_of_it(db: Database, owner: Connection, bench: Workbench) -> None:
    columns = "scc_id, member_count, members, last_iterations, last_converged_at IS NOT NULL"
    status = f"SELECT {columns} FROM pgtrickle.pgt_scc_status()"
    assert owner.execute(status.encode()).fetchall() == [(1, 2, ["public.reach", "public.hop"], None, False)]
    settle(bench)
    (row,) = owner.execute(status.encode()).fetchall()
    assert row[3] >= 2 and row[4]
    assert owner.execute("SELECT name, scc_id FROM pgtrickle.pgt_status()").fetchall() == [
        ("public.hop", 1),
        ("public.reach", 1),
    ]
    with trickle.connect(db.url) as client:
        client.alter_stream_table("reach", query="SELECT a, b FROM edge")
        assert owner.execute(status.encode()).fetchall() == []
        client.alter_stream_table("reach", query=REACH)
        client.drop_stream_table("hop", cascade=True)
    assert owner.execute("SELECT count(*) FROM pgtrickle.pgt_stream_tables").fetchone() == (0,)
    assert owner.execute("SELECT count(*) FROM pg_proc WHERE proname ~ '^empty_'").fetchone() == (0,)


def test_one_that_reads_itself(db: Database, owner: Connection, bench: Workbench) -> None:
    with trickle.connect(db.url) as client:
        client.alter_stream_table("reach", query=REACH.replace("hop h", "reach h"))
        client.drop_stream_table("hop")
    owner.execute("INSERT INTO edge (a, b) VALUES (3, 1)")
    answer = attempt(bench, RefreshTogether((1,), cycles=((1,),), has_one_snapshot=True))
    assert isinstance(answer, Done)
    differ = f"({ORACLE}) EXCEPT ALL SELECT a, b FROM reach"
    assert owner.execute(f"SELECT count(*) FROM ({differ}) x".encode()).fetchone() == (0,)
    assert owner.execute("SELECT count(*) FROM reach").fetchone() == (10,)


def test_a_cycle_without_end_is_given_up(db: Database, owner: Connection, bench: Workbench) -> None:
    with trickle.connect(db.url) as client:
        client.alter_stream_table("reach", query="SELECT a, b FROM edge UNION SELECT a, b + 1 FROM hop")
    before = owner.execute("SELECT count(*) FROM hop").fetchone()
    answer = attempt(bench, RefreshTogether((1, 2), cycles=((1, 2),), has_one_snapshot=True, most_turns=10))
    assert isinstance(answer, Failed)
    assert "still changes after 10 turns" in answer.message
    states = owner.execute("SELECT pgt_name, status FROM pgtrickle.pgt_stream_tables ORDER BY pgt_id").fetchall()
    assert states == [("reach", "ERROR"), ("hop", "ERROR")]
    assert owner.execute("SELECT count(*) FROM hop").fetchone() == before


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT a, count(*)::int AS b FROM hop GROUP BY a", "an aggregate"),
        ("SELECT a, b FROM edge EXCEPT SELECT a, b FROM hop", "EXCEPT"),
        ("SELECT e.a, e.b FROM edge e LEFT JOIN hop h USING (a)", "an outer join"),
        ("SELECT a, b FROM edge e WHERE NOT EXISTS (SELECT FROM hop h WHERE h.a = e.a)", "a subquery"),
        ("SELECT a, (row_number() OVER ())::int AS b FROM hop", "a window function"),
        ("SELECT a, b FROM hop ORDER BY a LIMIT 3", "LIMIT"),
    ],
)
def test_what_need_not_have_a_fixed_point_is_refused(db: Database, owner: Connection, query: str, why: str) -> None:
    with trickle.connect(db.url) as client:
        client.alter_stream_table("reach", query="SELECT a, b FROM edge")
        with pytest.raises((TrickleError, errors.FeatureNotSupported), match=f"reach is not monotone .{why}"):
            client.alter_stream_table("reach", query=query)
    owner.execute("SELECT pgtrickle.set_config('allow_circular', 'off')")
    with pytest.raises(errors.InvalidSchemaName, match=r"public\.reach -> public\.hop -> public\.reach"):
        owner.execute("SELECT pgtrickle.alter_stream_table('reach', query => %s)", (REACH,))
