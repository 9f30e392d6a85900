"""Which SQLSTATE deserves another try. Decided by class or code, never by the text of a message."""

from __future__ import annotations

from enum import StrEnum

import psycopg

from trickle.clock import backoff_seconds


class Kind(StrEnum):
    """Who has to act after a failure."""

    CONNECTION = "connection"  # the session or the server went away: nobody's fault, open a new one
    PASSING = "passing"  # locks, deadlocks, time-outs, full disks: the same call may succeed later
    DEFINITE = "definite"  # wrong data, query or rights: only a person changes the answer


_CONNECTION_CODES = frozenset({"57P01", "57P02", "57P03", "57P05", "25006"})
_CONNECTION_CLASSES = frozenset({"08"})
_DEFINITE_CLASSES = frozenset({"0A", "21", "22", "23", "26", "28", "2B", "3D", "3F", "42", "44"})

_BASE_SECONDS = {Kind.CONNECTION: 0.25, Kind.PASSING: 1.0, Kind.DEFINITE: 10.0}
_CAP_SECONDS = {Kind.CONNECTION: 10.0, Kind.PASSING: 60.0, Kind.DEFINITE: 300.0}


def kind_of(sqlstate: str | None) -> Kind:
    """No SQLSTATE means that no server answered. An unknown one passes: giving up is the worse error."""
    if sqlstate is None or sqlstate in _CONNECTION_CODES or sqlstate[:2] in _CONNECTION_CLASSES:
        return Kind.CONNECTION
    return Kind.DEFINITE if sqlstate[:2] in _DEFINITE_CLASSES else Kind.PASSING


def kind_of_error(error: BaseException) -> Kind:
    """The same for a raised error; what is not the database's is taken as definite."""
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return kind_of(error.sqlstate)
    if isinstance(error, psycopg.Error):
        return kind_of(error.sqlstate or "XX000")
    return Kind.DEFINITE


def retry_seconds(kind: Kind, attempt: int, draw: float) -> float:
    """How long to wait before attempt `attempt` + 1."""
    return backoff_seconds(attempt, base=_BASE_SECONDS[kind], cap=_CAP_SECONDS[kind], draw=draw)
