"""What a launcher shows of itself: /metrics and the health paths, as an instance has them, at a port of its own."""

from __future__ import annotations

import logging

from trickle import metrics
from trickle.launcher.options import LauncherOptions
from trickle.logs import event
from trickle.supervisor.http import Board, Health, HttpServer

log = logging.getLogger(__name__)


class LauncherReport:
    """The figures of one launcher, served when a port is given."""

    def __init__(self, options: LauncherOptions) -> None:
        self.families = metrics.build_launcher()
        self._board = Board()
        self._group_id = options.group_id
        self._http: HttpServer | None = None
        if options.metrics_port:
            server = HttpServer(options.metrics_host, options.metrics_port, self._board, self.families.registry)
            self._http = server.start()
            event(log, logging.INFO, "serving metrics", host=options.metrics_host, port=server.port)

    def listed(self, databases: int, launchers: int) -> None:
        """A look at the server succeeded."""
        self.families.databases.set(databases)
        self.families.launchers.set(launchers)
        self.families.listed_at.set_to_current_time()

    def turned(self, state: str, running: int, said: str) -> None:
        """The loop has turned; `state` is that of an instance: connecting, joined or draining."""
        self.families.instances.set(running)
        self._board.publish(
            Health(state=state, group_id=self._group_id, owned=running, running=running, last_turn=said)
        )

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
