"""Who is killed, and when a take-over counts as finished."""

from __future__ import annotations

import random

from trickle.demo import chaos

OWNERS = {"routes": "worker-1", "days": "worker-2", "fleet": "worker-1"}
DRAW = random.Random(1)


def test_the_victim_has_work_and_others_are_there() -> None:
    assert chaos.choose_victim(["worker-1", "worker-2"], 2, OWNERS, DRAW) in ("worker-1", "worker-2")


def test_nobody_is_killed_while_a_place_is_empty() -> None:
    assert chaos.choose_victim(["worker-1"], 2, OWNERS, DRAW) is None


def test_nobody_is_killed_while_a_replacement_has_no_work_yet() -> None:
    assert chaos.choose_victim(["worker-1", "worker-3"], 2, OWNERS, DRAW) is None


def test_a_take_over_ends_when_everything_has_an_owner_that_runs() -> None:
    began = chaos.begin("worker-1", OWNERS, 10.0)
    assert began.stream_tables == {"routes", "fleet"}
    running = ["worker-2"]
    waiting = chaos.settle(began, {"days": "worker-2", "routes": "worker-2"}, running, 10.1)
    assert waiting.seconds is None
    # The server may not have noticed yet that the session of the killed one is gone.
    assert chaos.settle(began, OWNERS, running, 10.1).seconds is None
    done = chaos.settle(waiting, dict.fromkeys(OWNERS, "worker-2"), running, 10.25)
    assert done.seconds == 0.25
    assert chaos.settle(done, {}, running, 99.0) is done


def test_strikes_are_some_seconds_apart() -> None:
    assert all(4 <= chaos.next_strike(100.0, DRAW) - 100 <= 7 for _ in range(50))
