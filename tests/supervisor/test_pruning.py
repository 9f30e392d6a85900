"""Which buffers are worth a pruning job."""

from __future__ import annotations

from itertools import pairwise

from trickle.supervisor.pruning import MAX_REST_SECONDS, Buffer, Pruner


def run(pruner: Pruner, buffer: Buffer, now: float, removed: int) -> bool:
    """Whether the buffer was due; if so, it is pruned."""
    if not pruner.due([buffer], now):
        return False
    pruner.started(buffer, now)
    pruner.finished(buffer.source_id, removed)
    return True


def test_an_empty_buffer_is_left_alone_unless_it_is_new() -> None:
    assert not run(Pruner(5), Buffer(1, 0), 0, 0)
    assert run(Pruner(5), Buffer(1, 0, is_new=True), 0, 0)


def test_new_writes_are_pruned_but_not_more_often_than_allowed() -> None:
    pruner = Pruner(5)
    assert run(pruner, Buffer(1, 10), 0, 10)
    assert not run(pruner, Buffer(1, 20), 4.9, 10)
    assert run(pruner, Buffer(1, 20), 5, 10)


def test_while_a_job_is_in_hand_there_is_no_second_one() -> None:
    pruner = Pruner(5)
    pruner.started(Buffer(1, 10), 0)
    assert not pruner.due([Buffer(1, 99)], 100)
    pruner.failed(1)
    assert pruner.due([Buffer(1, 99)], 100) == [1]


def test_rows_that_a_consumer_still_needs_are_asked_for_less_and_less() -> None:
    pruner, buffer = Pruner(5), Buffer(1, 10)
    looks = [second for second in range(3600) if run(pruner, buffer, second, removed=0)]
    gaps = [later - earlier for earlier, later in pairwise(looks)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= 5
    assert len(looks) < 10 and max(gaps) < MAX_REST_SECONDS


def test_after_some_went_the_rest_is_asked_for_soon() -> None:
    pruner = Pruner(5)
    assert run(pruner, Buffer(1, 10), 0, 4)
    assert run(pruner, Buffer(1, 10), 5, 0)
