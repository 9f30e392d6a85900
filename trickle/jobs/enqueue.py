"""Putting jobs into queues, on a connection of the caller and in its transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import scalar_row

from trickle.db.job_schema import SCHEMA
from trickle.errors import DefinitionError
from trickle.jobs.payload import PayloadError, encoded


def enqueue(
    conn: Connection[Any],
    queue: str,
    data: object = None,
    *,
    delay: timedelta | None = None,
    schema: str = SCHEMA,
    **options: Any,
) -> int | None:
    """Put one job into a queue; its id, or None where one with the same singleton key has not ended.

    `data` is a dataclass or anything JSON can hold; `schema` is one of pgtrickle.create_job_schema. `options` are those
    of pgtrickle.enqueue: priority, start_after, expire_in, retry_limit, retry_delay, retry_backoff, singleton_key,
    ordering_key, dead_letter, keep_for.

    Raises:
        DefinitionError: the payload is not JSON.
    """
    statement, values = _statement(schema, "enqueue", queue, _payload(data), delay, options)
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(statement, values).fetchone()
    return None if found is None else int(found)


def enqueue_many(
    conn: Connection[Any],
    queue: str,
    data: Iterable[object],
    *,
    delay: timedelta | None = None,
    schema: str = SCHEMA,
    **options: Any,
) -> int:
    """Put a job for each payload into a queue, in one statement; how many they are.

    `options` are those of pgtrickle.enqueue_many.
    """
    statement, values = _statement(schema, "enqueue_many", queue, [_payload(one) for one in data], delay, options)
    with conn.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(statement, values).fetchone() or 0)


def enqueue_throttled(
    conn: Connection[Any],
    queue: str,
    key: str,
    every: timedelta,
    data: object = None,
    schema: str = SCHEMA,
    **options: Any,
) -> int | None:
    """Put a job into a queue, unless one was made for this key less than `every` ago; its id, or None.

    `options` are those of pgtrickle.enqueue_throttled.
    """
    keyed = {"key": key, "every": every, **options}
    statement, values = _statement(schema, "enqueue_throttled", queue, _payload(data), None, keyed)
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(statement, values).fetchone()
    return None if found is None else int(found)


def enqueue_debounced(
    conn: Connection[Any],
    queue: str,
    key: str,
    pause: timedelta,
    data: object = None,
    schema: str = SCHEMA,
    **options: Any,
) -> int:
    """Put a job into a queue that begins `pause` from now, or put off the one that waits under this key; its id.

    `options` are those of pgtrickle.enqueue_debounced: `at_most` is how long it can be put off.
    """
    keyed = {"key": key, "pause": pause, **options}
    statement, values = _statement(schema, "enqueue_debounced", queue, _payload(data), None, keyed)
    with conn.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(statement, values).fetchone() or 0)


async def enqueue_async(
    conn: AsyncConnection[Any],
    queue: str,
    data: object = None,
    *,
    delay: timedelta | None = None,
    schema: str = SCHEMA,
    **options: Any,
) -> int | None:
    """The same as `enqueue`, on an asynchronous connection."""
    statement, values = _statement(schema, "enqueue", queue, _payload(data), delay, options)
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(statement, values)
        found = await cursor.fetchone()
    return None if found is None else int(found)


def _payload(data: object) -> str:
    try:
        return encoded({} if data is None else data)
    except PayloadError as error:
        raise DefinitionError(f"the payload of a job cannot be stored: {error}") from error


def _statement(
    schema: str, function: str, queue: str, data: str | list[str], delay: timedelta | None, options: dict[str, Any]
) -> tuple[sql.Composed, dict[str, Any]]:
    """SELECT "schema".enqueue(…): what is not given keeps the server's default. A delay is by the server's clock."""
    given = {key: value for key, value in options.items() if value is not None}
    kind = sql.SQL("::text[]::jsonb[]" if function == "enqueue_many" else "::jsonb")
    parts: list[sql.Composable] = [sql.SQL("name => %(queue)s, data => %(data)s") + kind]
    parts += [sql.SQL("{} => {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in given]
    if delay is not None:
        parts.append(sql.SQL("start_after => clock_timestamp() + %(delay)s"))
    statement = sql.SQL("SELECT {}({})").format(sql.Identifier(schema, function), sql.SQL(", ").join(parts))
    return statement, {**given, "queue": queue, "data": data, "delay": delay}
