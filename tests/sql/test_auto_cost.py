"""What AUTO decides by: pure functions over numbers, and what they come to over many refreshes.

Oracle: simulated costs with noise, and the mode that would have been best for all of them. Catches: a choice that
swings, a wrong early measurement that never heals, trials that cost more than they may.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest

from .conftest import Connection, one

STEPS = 500
SOURCE_ROWS = 100_000.0


@pytest.mark.parametrize(
    ("differential_ms", "full_ms", "last_choice", "credit_ms", "expected"),
    [
        (10, 100, "DIFFERENTIAL", 0, ("DIFFERENTIAL", False)),
        (100, 10, "DIFFERENTIAL", 0, ("FULL", False)),
        # Within a tenth and a millisecond nothing changes, from either side.
        (110, 100, "DIFFERENTIAL", 0, ("DIFFERENTIAL", False)),
        (112, 100, "DIFFERENTIAL", 0, ("FULL", False)),
        (91, 100, "FULL", 0, ("FULL", False)),
        (89, 100, "FULL", 0, ("DIFFERENTIAL", False)),
        (1.4, 0.5, "DIFFERENTIAL", 0, ("DIFFERENTIAL", False)),
        # A trial is paid for: by what it is predicted to take longer, and never by less than a quarter.
        (150, 100, "FULL", 49, ("FULL", False)),
        (150, 100, "FULL", 50, ("FULL", True)),
        (100, 100, "FULL", 24, ("FULL", False)),
        (100, 100, "FULL", 25, ("FULL", True)),
        (100, 150, "DIFFERENTIAL", 50, ("DIFFERENTIAL", True)),
        # Nobody waits ten times as long for a full refresh that teaches little.
        (10, 101, "DIFFERENTIAL", 1e9, ("DIFFERENTIAL", False)),
        (1000, 10, "FULL", 990, ("FULL", True)),
        # Without a full refresh to compare with there is nothing to choose.
        (10, None, "DIFFERENTIAL", 0, ("DIFFERENTIAL", False)),
    ],
)
def test_the_choice(
    conn: Connection,
    differential_ms: float,
    full_ms: float | None,
    last_choice: str,
    credit_ms: float,
    expected: tuple[str, bool | None],
) -> None:
    row = conn.execute(
        "SELECT * FROM pgtrickle._choose_refresh(%s, %s, %s, %s)", (differential_ms, full_ms, last_choice, credit_ms)
    ).fetchone()
    assert row == expected


@pytest.mark.parametrize(
    ("expected_ms", "measured_ms", "measured", "doubt", "is_trial", "believed", "next_doubt"),
    [
        (10, 7, 0, None, False, 7, None),  # the first one is believed,
        (10, 70, 0, None, False, 10, 7),  # unless it is much slower: a plan was made, a cache was cold
        (10, 70, 0, 7, False, 70, 7),  # and so is the next
        (10, 20, 50, None, False, 12, None),
        (10, 5, 50, None, False, 9, None),
        (10, 20, 50, None, True, 19, None),
        (10, 300, 50, None, False, 11, 30),
        (10, 300, 50, 30, False, 25, 30),
        (10, 300, 50, None, True, 50, 30),
        (10, 10, 50, 30, False, 10, 15),  # a doubt fades
        (10, 10, 50, 4, False, 10, None),
    ],
)
def test_what_is_believed(
    conn: Connection,
    expected_ms: float,
    measured_ms: float,
    measured: int,
    doubt: float | None,
    is_trial: bool,
    believed: float,
    next_doubt: float | None,
) -> None:
    row = conn.execute(
        "SELECT * FROM pgtrickle._believe(%s, %s, %s, %s, %s)", (expected_ms, measured_ms, measured, doubt, is_trial)
    ).fetchone()
    assert row is not None
    assert row[0] == pytest.approx(believed) and row[1] == (None if next_doubt is None else pytest.approx(next_doubt))


@pytest.mark.parametrize(
    ("cost", "changes", "expected"),
    [
        (None, 1000, 1 + 1000 * 0.05),
        ("(1,{1},5,0.01,0,0,,FULL,0,0)", 1000, 1 + 1000 * 0.05),
        ("(1,{1},5,0.01,9,1000,,FULL,0,0)", 1000, 5 + 1000 * 0.01),
        ("(1,{1},5,0.01,9,1000,,FULL,0,0)", 8000, 5 + 8000 * 0.01),
        # Far beyond anything measured the cautious measure counts, but never makes it cheaper.
        ("(1,{1},5,0.01,9,1000,,FULL,0,0)", 8001, 1 + 8001 * 0.05),
        ("(1,{1},5,0.10,9,1000,,FULL,0,0)", 8001, 5 + 8001 * 0.10),
    ],
)
def test_what_is_predicted(conn: Connection, cost: str | None, changes: int, expected: float) -> None:
    query = "SELECT pgtrickle._predicted_differential_ms(%s::pgtrickle.pgt_differential_costs, %s, 0.05)"
    assert one(conn, query, cost, changes) == pytest.approx(expected)


def test_a_full_refresh_is_predicted_by_the_size_of_the_sources(conn: Connection) -> None:
    query = "SELECT pgtrickle._predicted_full_ms(10, %s, %s)"
    mebibyte = 1 << 20
    assert one(conn, query, 100 * mebibyte, 200 * mebibyte) == pytest.approx(20, rel=0.01)
    assert one(conn, query, 0, 8192) < 12, "an empty table that has got a page is not a thousand times as large"


@dataclass(frozen=True, slots=True)
class World:
    """Costs in milliseconds of both ways at a step, and how many changes there are then."""

    differential_ms: Callable[[int, int], float]
    full_ms: Callable[[int], float]
    changes: Callable[[int, random.Random], int]


WORLDS = {
    "differential wins": World(lambda n, _: 1 + n * 0.001, lambda _: 300, lambda _, r: r.randint(1, 2000)),
    "full wins": World(lambda n, _: 200 + n * 0.05, lambda _: 40, lambda _, r: r.randint(1, 2000)),
    "both are equal": World(lambda *_: 50, lambda _: 50, lambda *_: 100),
    "full is a little better": World(lambda *_: 65, lambda _: 50, lambda *_: 100),
    "differential is a little better": World(lambda *_: 50, lambda _: 65, lambda *_: 100),
    "sizes differ": World(lambda n, _: 2 + n * 0.01, lambda _: 80, lambda _, r: int(10 ** r.randint(0, 5))),
    "more than in proportion": World(
        lambda n, _: 2 + n * 0.001 + (n / 3000) ** 2, lambda _: 80, lambda _, r: int(10 ** r.uniform(0, 5))
    ),
    "another plan from 2000 on": World(
        lambda n, _: 3 if n < 2000 else 60 + n * 0.001, lambda _: 50, lambda _, r: r.choice([100, 5000])
    ),
    "small and large in turns": World(lambda n, _: 1 + n * 0.002, lambda _: 30, lambda i, _: 50 if i % 2 else 60_000),
    "about the crossover": World(lambda n, _: 1 + n * 0.01, lambda _: 30, lambda _, r: r.randint(2000, 4000)),
    "now and then dear": World(lambda _, i: 100 if i % 10 == 0 else 5, lambda _: 40, lambda *_: 100),
    "gets worse": World(lambda _, i: 5 if i < 200 else 500, lambda _: 50, lambda *_: 100),
    "gets better": World(lambda _, i: 500 if i < 200 else 5, lambda _: 50, lambda *_: 100),
}
FIXED_CHOICE = {"both are equal", "full wins", "differential wins", "full is a little better",
                "differential is a little better"}  # fmt: skip


@pytest.fixture
def learner(conn: Connection) -> Connection:
    """A session with stream table number 1, whose costs are learned; the table itself is never refreshed."""
    conn.execute("SET synchronous_commit = off")
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    conn.execute("SELECT pgtrickle.create_stream_table('s', 'SELECT id FROM t')")
    conn.execute("DELETE FROM pgtrickle.pgt_full_costs")
    return conn


@pytest.mark.parametrize("first_full", [0.4, 1, 5], ids=["fill was fast", "fill was typical", "fill was slow"])
@pytest.mark.parametrize("name", WORLDS)
def test_the_sum_of_all_refreshes(learner: Connection, name: str, first_full: float) -> None:
    """At most a fifth more than the better of the two modes for all refreshes, and no swinging."""
    world = WORLDS[name]
    chance = random.Random(f"{name} {first_full}")
    learner.execute(
        "INSERT INTO pgtrickle.pgt_full_costs SELECT s.pgt_id, %s, 0, 1, NULL FROM pgtrickle.pgt_stream_tables s",
        (world.full_ms(0) * first_full,),
    )
    auto = differential = full = 0.0
    preferences: list[str] = []
    for step in range(STEPS):
        changes = world.changes(step, chance)
        choice = _choose(learner, changes)
        costs = {"DIFFERENTIAL": world.differential_ms(changes, step), "FULL": world.full_ms(step)}
        _learn(learner, choice, _noisy(costs[choice.action], chance))
        preferences.append(choice.preferred)
        auto += costs[choice.action]
        differential += costs["DIFFERENTIAL"]
        full += costs["FULL"]
    assert auto <= 1.2 * min(differential, full)
    if name in FIXED_CHOICE:
        switches = sum(a != b for a, b in itertools.pairwise(preferences))
        assert switches <= STEPS / 10


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided at one step, and from what."""

    changes: int
    action: str
    preferred: str
    ms: float
    full_ms: float
    cautious: float
    is_trial: bool


_DECIDE = """
WITH known AS MATERIALIZED (
    SELECT c AS cost, f.ms AS full_ms, 10 * f.ms / %(rows)s AS cautious
    FROM pgtrickle.pgt_full_costs f LEFT JOIN pgtrickle.pgt_differential_costs c USING (pgt_id)
), predicted AS MATERIALIZED (
    SELECT k.*, pgtrickle._predicted_differential_ms(k.cost, %(changes)s, k.cautious) AS ms FROM known k
), decided AS MATERIALIZED (
    SELECT p.*, d.*
    FROM predicted p, pgtrickle._choose_refresh(
        p.ms, p.full_ms, coalesce((p.cost).last_choice, 'DIFFERENTIAL'), coalesce((p.cost).credit_ms, 0)) d
)
SELECT CASE WHEN (d.preferred = 'FULL') <> d.is_trial THEN 'FULL' ELSE 'DIFFERENTIAL' END, d.preferred,
       d.ms, d.full_ms, d.cautious, d.is_trial
FROM decided d
"""
_LEARN = """
SELECT pgtrickle._auto_learn(s.pgt_id, ROW(%(action)s, '{1}', %(changes)s, %(ms)s, %(full_ms)s, %(cautious)s,
    %(is_trial)s, NULL)::pgtrickle.refresh_choice, %(action)s, now(), now(), now() + %(took)s * interval '1 ms')
FROM pgtrickle.pgt_stream_tables s
"""


def _choose(conn: Connection, changes: int) -> Choice:
    row = conn.execute(_DECIDE, {"rows": SOURCE_ROWS, "changes": changes}).fetchone()
    assert row is not None
    return Choice(changes, *row)


def _learn(conn: Connection, choice: Choice, took: float) -> None:
    conn.execute(_LEARN, {**asdict(choice), "took": took})


def _noisy(milliseconds: float, chance: random.Random) -> float:
    """Measurements scatter by 15 %, and one in thirty is far too slow."""
    spike = chance.uniform(3, 20) if chance.random() < 0.03 else 1.0
    return milliseconds * math.exp(chance.gauss(0, 0.15)) * spike
