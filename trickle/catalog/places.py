"""Where in a defining query the server found its error: the line, with a caret below.

The functions that create stream tables report in their own words and lose the position. So the query alone is
handed to the server once more to be parsed, not run, and the place is taken from the error that comes back.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.pq import DiagnosticField, TransactionStatus


def place_of_error(connection: Connection[Any], query: str) -> str | None:
    """The line and a caret; None when the query parses, or when the server names no position in it."""
    if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
        return None
    encoding = connection.info.encoding
    result = connection.pgconn.prepare(b"", query.encode(encoding, "replace"))
    position = result.error_field(DiagnosticField.STATEMENT_POSITION)
    return caret(query, int(position)) if position else None


def caret(query: str, position: int) -> str:
    """The line that holds the character at `position`, counted from 1, and a caret below it.

    >>> print(caret("SELECT 1\\nFROM nowhere", 15))
    FROM nowhere
         ^
    """
    start = query.rfind("\n", 0, position - 1) + 1
    line = query[start:].partition("\n")[0]
    return f"{line}\n{' ' * (position - 1 - start)}^"
