"""Who may judge: a heartbeat after a gap starts everything anew."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from trickle.supervisor.vigil import Vigil, beaten, may_judge

SILENCE, GAP = 3.0, 2.5


def test_after_silence_seconds_of_beating_one_may_judge() -> None:
    vigil: Vigil | None = None
    for now in range(4):
        vigil = beaten(vigil, float(now), GAP)
        assert may_judge(vigil, SILENCE) == (now >= 3)


def test_one_that_slept_may_not_judge() -> None:
    vigil = None
    for now in (0.0, 1.0, 2.0, 3.0, 60.0):
        vigil = beaten(vigil, now, GAP)
    assert vigil == Vigil(60.0, 60.0)
    assert not may_judge(vigil, SILENCE)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=30))
def test_whoever_judges_has_had_no_gap_for_that_long(pauses: list[float]) -> None:
    now, beats, vigil = 0.0, [0.0], beaten(None, 0.0, GAP)
    for pause in pauses:
        now += pause
        beats.append(now)
        vigil = beaten(vigil, now, GAP)
        if may_judge(vigil, SILENCE):
            recent = [beat for beat in beats if beat >= vigil.since]
            assert recent[0] <= now - SILENCE
            assert all(later - earlier <= GAP for earlier, later in pairwise(recent))
