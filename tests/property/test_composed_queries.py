"""Queries composed of every operator, three to five deep, over random tables with NULLs, duplicates and skew.

Lies it would catch: a rule that holds over tables and fails over what another rule makes of them.
Oracle: PostgreSQL, evaluating the defining query from nothing in the statement that compares. One story is one set of
tables with many stream tables over it, so that a query costs little more than its own program. What fails is told as
one SQL script, made as small as it gets; the long run goes on after a failure and tells them all at its end.
`TRICKLE_EXAMPLES` says how many queries the long run follows; 20 000 are a night's work.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from support.databases import Database

import trickle
from property.composed.made import Made
from property.composed.play import Outcome, play
from property.composed.smaller import smaller
from property.composed.story import ABOVE, QUERIES, Query, Story, stories
from trickle.ivm.program import frame

# Failures are made smaller here and not by Hypothesis, which would play whole stories for it. Its own way to draw
# examples draws many of them twice.
DRAWN = settings(
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    backend="hypothesis-urandom",
)
LONG = int(os.environ.get("TRICKLE_EXAMPLES", "400")) // (QUERIES + ABOVE) + 1


def _played(db: Database, story: Story) -> Outcome:
    """Played in a session of its own: a session keeps the plans of functions that are long gone."""
    with trickle.connect(db.url) as client:
        client.connection.execute("SET statement_timeout = '60s'")
        return play(client, story)


def _told(db: Database, story: Story, outcome: Outcome) -> list[str]:
    """What failed, each as small as it gets."""
    told: list[str] = []
    for name, failure in outcome.failures.items():

        def fails(candidate: Story, name: str = name) -> bool:
            return name in _played(db, candidate).failures

        told.append(f"{failure}\n\n{smaller(story, name, fails).script()}")
    return told


@settings(DRAWN, max_examples=6)
@given(story=stories())
def test_composed_queries(db: Database, story: Story) -> None:
    outcome = _played(db, story)
    assert not outcome.failures, "\n\n".join(_told(db, story, outcome))
    assert outcome.followed > len(outcome.untried)


@settings(DRAWN, max_examples=2)
@given(story=stories())
def test_composed_queries_whose_changes_all_count_as_large(db: Database, story: Story) -> None:
    """Programs have their statement twice, and the one for large changes is planned for many rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame, "LARGE_ROWS", 0)
        outcome = _played(db, story)
        assert not outcome.failures, "\n\n".join(_told(db, story, outcome))
    assert outcome.followed > len(outcome.untried)


def test_what_grows_over_all_bounds_is_left_with_its_readers(db: Database) -> None:
    """Not counted as followed; and what does not read it is followed on."""
    grows, stays = "INSERT INTO n SELECT generate_series(1, 4000)", "INSERT INTO m VALUES (2)"
    story = Story(
        sources=(),
        setup=(
            "CREATE TABLE n (c1 int)",
            "CREATE TABLE m (c1 int)",
            "INSERT INTO n VALUES (1)",
            "INSERT INTO m TABLE n",
        ),
        queries=tuple(
            Query(name, Made(f"SELECT c1 FROM {reads} AS r", ("int",)))
            for name, reads in (("q1", "n"), ("q2", "m"), ("above1", "q1"), ("above2", "above1"), ("above3", "q2"))
        ),
        cycles=(((stays,),), ((grows,), (stays,)), ((stays,),)),
    )
    outcome = _played(db, story)
    assert (outcome.followed, outcome.failures) == (2, {})
    assert outcome.untried == {"q1": "too many rows"} | dict.fromkeys(("above1", "above2"), "reads one that was left")


@pytest.mark.full
@pytest.mark.timeout(36000)
def test_composed_queries_at_length(db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    failures: list[str] = []
    reached = 0

    @settings(DRAWN, max_examples=LONG)
    @given(story=stories())
    def follow(story: Story) -> None:
        nonlocal reached
        outcome = _played(db, story)
        failures.extend(_told(db, story, outcome))
        reached += outcome.followed

    follow()
    with capsys.disabled():
        print(f"{reached} composed queries followed without a difference")
    assert not failures, "\n\n".join(failures)
