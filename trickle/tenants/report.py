"""What a supervisor tells after each turn: its metrics, its health, and a word to the service manager."""

from __future__ import annotations

import time

from trickle.supervisor.http import Board, Health
from trickle.supervisor.service_manager import ServiceManager
from trickle.tenants.dispatcher import Dispatcher
from trickle.tenants.metrics import SupervisorMetrics
from trickle.tenants.options import SupervisorOptions
from trickle.tenants.roll import Roll
from trickle.tenants.stage import Stage


class Report:
    """Of one supervisor."""

    def __init__(self, options: SupervisorOptions, metrics: SupervisorMetrics) -> None:
        self.board = Board()
        self._options = options
        self._metrics = metrics
        self._manager = ServiceManager.of_this_process()

    def publish(self, roll: Roll, stage: Stage, dispatcher: Dispatcher) -> None:
        """How it stands now."""
        metrics, budget = self._metrics, self._options.budget
        hot, ours = len(stage.pool.places), len(roll.ours)
        metrics.hot_pool_max.set(budget.hot_pool_max)
        metrics.connections.set(budget.connections)
        metrics.budget_ratio.set(roll.budget_ratio)
        metrics.hot_tenants.set(hot)
        metrics.tenants.set(ours)
        metrics.waiting.set(len(stage.pool.waiting))
        metrics.members.set(len(roll.members))
        metrics.unreachable.set(dispatcher.unreachable)
        state = _state(stage)
        self.board.publish(
            Health(
                state=state,
                group_id=self._options.group_id,
                owned=ours,
                members=len(roll.members),
                running=sum(one.active for one in stage.list_hot()),
                children=hot,
            )
        )
        if state == "joined":
            self._manager.ready()
        self._manager.status(f"{state}, {hot} of {ours} tenants hot")
        self._manager.turned(time.monotonic())

    def stopping(self) -> None:
        """It was told to end."""
        self._manager.stopping()

    def close(self) -> None:
        self._manager.close()


def _state(stage: Stage) -> str:
    if stage.pool.is_stopping:
        return "draining"
    return "connecting" if stage.home is None else "joined"
