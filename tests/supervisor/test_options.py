"""Options and signals: what cannot be is refused; handlers only enqueue."""

from __future__ import annotations

import os
import select
import signal
from typing import Any

import pytest

from trickle.errors import ConfigurationError
from trickle.supervisor import WorkerOptions
from trickle.supervisor.options import new_instance_id
from trickle.supervisor.signals import SignalInbox


@pytest.mark.parametrize(
    "wrong",
    [
        {"children": 0},
        {"capacity": -1},
        {"discovery_seconds": 0},
        {"tick_seconds": 0},
        {"drain_seconds": -1},
        {"instance_id": " "},
        {"heartbeat_seconds": 0},
        {"heartbeat_seconds": 2, "silent_seconds": 3.9},
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong)).split("_")[0]):
        WorkerOptions("", **wrong)


def test_two_instances_never_share_a_name() -> None:
    assert new_instance_id() != new_instance_id()


def test_a_signal_wakes_the_waiting_and_is_taken_once() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with SignalInbox() as inbox:
        assert inbox.take() == []
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert select.select([inbox], [], [], 5)[0] == [inbox]
        assert sorted(inbox.take()) == ["SIGINT", "SIGTERM"]
        assert inbox.take() == []
    assert signal.getsignal(signal.SIGTERM) is before
