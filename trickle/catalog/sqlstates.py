"""From a database error to the error of `trickle.errors` that says what to do next.

The choice is made by SQLSTATE and by what was being done, never by message text: an unknown relation is a
wrong definition while a stream table is created, and a missing stream table otherwise. The server's words
are kept as message and hint, its error as `__cause__`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus

from trickle.errors import (
    Changed,
    ConfigurationError,
    DefinitionError,
    NotFound,
    Ours,
    Refused,
    TrickleError,
    TryAgain,
    Yours,
)

# Operations that hand in a query or options to be judged.
_DEFINING = frozenset({"create", "alter", "define"})

# The longest matching prefix decides; what follows depends on the operation.
_BY_PREFIX: dict[str, type[TrickleError]] = {
    "08": TryAgain,  # connection exception
    "40": TryAgain,  # serialization failure, deadlock
    "53": TryAgain,  # out of memory, disk, connections
    "55P03": TryAgain,  # lock not available
    "55006": TryAgain,  # object in use
    "57": TryAgain,  # cancelled, or the server is going down or coming up
    "28": ConfigurationError,  # authentication
    "3D000": ConfigurationError,  # no such database
    "42501": ConfigurationError,  # rights
    "25": Refused,  # read-only, standby, wrong isolation
    "55": Refused,  # not in the state this needs
    "42P17": Changed,  # a source is no longer what was compiled against
    "P0004": Ours,  # assertion
    "XX": Ours,
}
_OTHERWISE: dict[str, type[TrickleError]] = {
    "42P01": NotFound,
    "42704": NotFound,
    "0A": Refused,
    "22023": Refused,
    "2BP01": Refused,
    "42809": Refused,
}


def error_class(sqlstate: str, operation: str) -> type[TrickleError]:
    """The class for an SQLSTATE met during `operation`."""
    tables = (_BY_PREFIX,) if operation in _DEFINING else (_BY_PREFIX, _OTHERWISE)
    for length in (5, 2):
        for table in tables:
            if sqlstate[:length] in table:
                return table[sqlstate[:length]]
    return DefinitionError if operation in _DEFINING else Yours


@contextmanager
def translated(operation: str, connection: Connection[Any] | None = None) -> Iterator[None]:
    """Raise what psycopg raises inside as an error of `trickle.errors`."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, operation, connection) from error


def translate(error: psycopg.Error, operation: str, connection: Connection[Any] | None) -> TrickleError:
    """The error to raise in place of `error`."""
    if error.sqlstate is None:
        return _without_sqlstate(error, operation)
    if error.sqlstate in ("3F000", "42P01", "42883") and connection and _catalog_is_missing(connection):
        return ConfigurationError(
            f"Trickle is not installed in database {connection.info.dbname}",
            hint="run `trickle init` on this database first",
        )
    message = error.diag.message_primary or str(error).strip()
    return error_class(error.sqlstate, operation)(message, hint=error.diag.message_hint)


def _without_sqlstate(error: psycopg.Error, operation: str) -> TrickleError:
    """libpq gives no SQLSTATE while connecting, or when the connection breaks."""
    message = str(error).strip()
    if isinstance(error, psycopg.OperationalError):
        hint = "is the server running, and does it accept this user, database and address?"
        return TryAgain(message, hint=hint)
    if isinstance(error, psycopg.ProgrammingError):
        return ConfigurationError(message) if operation == "connect" else Yours(message)
    return Ours(message)


def _catalog_is_missing(connection: Connection[Any]) -> bool:
    if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
        return False
    try:
        row = connection.execute("SELECT pg_catalog.to_regnamespace('pgtrickle') IS NULL").fetchone()
    except psycopg.Error:
        return False
    return row is not None and bool(row[0])
