"""What the connectors to PostgreSQL share: opening a session, ending a wait, and what an error means.

A session is never more than what a transaction pooler gives: nothing is prepared, nothing is set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection

from trickle.db.session import session_arguments
from trickle.errors import ConfigurationError
from trickle.relay.failures import ConnectorError, FailureKind

Answer = TypeVar("Answer")
Connection = AsyncConnection[Any]

_CANCEL_SECONDS = 3.0

# The longest matching prefix decides.
_KINDS = {
    "08": FailureKind.UNAVAILABLE,
    "25": FailureKind.UNAVAILABLE,  # read-only: a standby that may be promoted, or a primary that was demoted
    "28": FailureKind.AUTHENTICATION,
    "3D": FailureKind.DESTINATION,
    "3F": FailureKind.DESTINATION,
    "40": FailureKind.UNAVAILABLE,  # deadlocks and the like: the same again
    "42": FailureKind.DESTINATION,
    "42501": FailureKind.AUTHORIZATION,
    "53": FailureKind.UNAVAILABLE,
    "55": FailureKind.UNAVAILABLE,
    "57": FailureKind.UNAVAILABLE,
    "57014": FailureKind.TIMEOUT,
}

# Of one row or message, whatever the others are.
_KINDS_OF_ROWS = {
    "0A": FailureKind.REJECTED,
    "21": FailureKind.REJECTED,
    "22": FailureKind.REJECTED,
    "23": FailureKind.REJECTED,
    "44": FailureKind.REJECTED,  # the check of a view
    "54": FailureKind.TOO_LARGE,
    "P0": FailureKind.REJECTED,  # said by a trigger
}

# While connecting, libpq gives words and no SQLSTATE. What is not known here passes, which is the lesser error.
_WORDS = (
    ("password authentication failed", FailureKind.AUTHENTICATION),
    ("no password supplied", FailureKind.AUTHENTICATION),
    ("authentication failed", FailureKind.AUTHENTICATION),
    ("no pg_hba.conf entry", FailureKind.AUTHENTICATION),
    ('role "', FailureKind.AUTHENTICATION),
    ("permission denied for database", FailureKind.AUTHORIZATION),
    ('database "', FailureKind.DESTINATION),
    ("certificate", FailureKind.TLS),
    ("SSL", FailureKind.TLS),
)


async def connect(url: str, *, role: str, seconds: float) -> Connection:
    """A session in autocommit, named `pg_trickle_<role>`. Raises ConnectorError, ConfigurationError."""
    try:
        settings = session_arguments(url, role=role)
    except ConfigurationError:
        # Its words may hold what was given, with the password.
        raise ConfigurationError(
            "the connection string is not valid", hint="use postgresql://user@host:port/database"
        ) from None
    # In any other encoding, which a url or the environment may ask for, there are texts that cannot be sent.
    opening = AsyncConnection.connect(url, autocommit=True, client_encoding="UTF8", **settings)
    try:
        return await asyncio.wait_for(opening, seconds)
    except TimeoutError:
        raise ConnectorError(FailureKind.UNAVAILABLE, f"the database did not answer within {seconds:g} s") from None
    except psycopg.Error as error:
        raise connector_error(error) from error


async def within(seconds: float, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Await statements, but not for ever. Raises ConnectorError of kind TIMEOUT, and what they raise.

    A statement that is cancelled waits for the server to confirm that. One that is frozen does not, so the second
    cancellation gives up waiting for that, too; the session is of no use afterwards.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if done:
            return task.result()
        raise ConnectorError(FailureKind.TIMEOUT, f"the database did not answer within {seconds:g} s")
    finally:
        if not task.done():
            await _end(task)


async def _end(task: asyncio.Task[Any]) -> None:
    for _ in range(2):
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
        if task.done():
            break
    if task.done() and not task.cancelled():
        task.exception()  # it has been heard: nobody else will ask


def kind_of_row(error: psycopg.Error) -> FailureKind | None:
    """What is wrong with one of the rows of a statement; None when the error is about the statement or the session."""
    return _KINDS_OF_ROWS.get((error.sqlstate or "")[:2])


def reason_of_row(error: psycopg.Error) -> str:
    """Which rule a row breaks. The server's own words would show what is in it."""
    diag = error.diag
    where = [
        f"{kind} {name}" for kind, name in (("constraint", diag.constraint_name), ("column", diag.column_name)) if name
    ]
    return (
        f"the database refuses it: {type(error).__name__} ({error.sqlstate}){', ' if where else ''}{', '.join(where)}"
    )


def connector_error(error: psycopg.Error) -> ConnectorError:
    """What an error means for everything on this session."""
    sqlstate = error.sqlstate
    if sqlstate is None:
        words = " ".join(str(error).split())
        kind = next((kind for text, kind in _WORDS if text in words), FailureKind.UNAVAILABLE)
        return ConnectorError(kind, f"no connection to the database: {words}")
    kind = _KINDS.get(sqlstate) or _KINDS.get(sqlstate[:2]) or FailureKind.UNAVAILABLE
    return ConnectorError(kind, f"the database says: {error.diag.message_primary} ({sqlstate})")
