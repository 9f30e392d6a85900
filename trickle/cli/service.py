"""Verbs that a service manager starts and starts again: how they end when they could not begin, and how they are seen.

69  the server does not answer now
70  a defect of Trickle
78  the settings or the database are wrong: starting again would not help (RestartPreventExitStatus=78)
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import typer

from trickle.catalog.sqlstates import translate
from trickle.cli.failures import DEFECT, block
from trickle.errors import Ours, TrickleError, TryAgain
from trickle.logs import event

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from trickle.supervisor.http import Board

log = logging.getLogger(__name__)


@contextmanager
def as_service() -> Iterator[None]:
    """Ends the command with the code of a service when what is inside raises."""
    from trickle.supervisor.options import EXIT_CONFIGURATION, EXIT_UNREACHABLE

    try:
        yield
    except (TrickleError, psycopg.Error) as error:
        meant = error if isinstance(error, TrickleError) else translate(error, "command", None)
        typer.echo(block(meant), err=True)
        if isinstance(meant, Ours):
            code = DEFECT
        else:
            code = EXIT_UNREACHABLE if isinstance(meant, TryAgain) else EXIT_CONFIGURATION
        raise typer.Exit(code) from error


def serve(board: Board, registry: CollectorRegistry, host: str, port: int) -> None:
    """Metrics and health paths until the process ends. Raises ConfigurationError where the port is taken."""
    from trickle.supervisor.http import HttpServer

    server = HttpServer(host, port, board, registry).start()
    event(log, logging.INFO, "serving metrics", host=host, port=server.port)
