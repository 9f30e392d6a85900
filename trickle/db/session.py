"""Opening a session: the same time-outs, keep-alives and name for every part of the system."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from trickle.errors import ConfigurationError

# A peer that vanished without a word is noticed within about ten seconds on either side.
KEEPALIVES: dict[str, int] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

# The sessions of an instance ask the same questions all day, and planning takes longer than answering. Behind a pooler
# nothing is prepared.
PREPARE_AFTER = 2


def refresh_role(group_id: str, instance_id: str) -> str:
    """The role of an instance's refresh sessions. Its mark lets peers find and end those of a frozen instance.

    >>> refresh_role("default", "a")
    'refresh_38d26a3370622dce'
    """
    return f"refresh_{_mark(group_id, instance_id)}"


def relay_role(group_id: str, instance_id: str) -> str:
    """The role of the sessions with which a relay carries pipelines, marked in the same way."""
    return f"relay_{_mark(group_id, instance_id)}"


def _mark(group_id: str, instance_id: str) -> str:
    return sha256(f"{len(group_id)}/{group_id}{instance_id}".encode()).hexdigest()[:16]


class Session(Connection[TupleRow]):
    """A connection that lets its owner do something else now and then while a statement takes its time."""

    meanwhile: Callable[[], None] | None = None

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        """As the driver's own, which wakes up ten times a second to see whether it is to go on."""
        return super().wait(gen if self.meanwhile is None else _attended(gen, self.meanwhile), *args, **kwargs)


def _attended(gen: Generator[Any, Any, Any], meanwhile: Callable[[], None]) -> Generator[Any, Any, Any]:
    ready: Any = None
    while True:
        try:
            wanted = gen.send(ready)
        except StopIteration as end:
            return end.value
        ready = yield wanted
        if not ready:
            meanwhile()


def session_arguments(url: str, *, role: str) -> dict[str, Any]:
    """What every session is opened with, unless the url itself says otherwise."""
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            f"the connection string is not valid: {error}",
            hint="use postgresql://user@host:port/database or libpq key=value pairs",
        ) from error
    settings: dict[str, Any] = {key: value for key, value in KEEPALIVES.items() if key not in given}
    return settings | {"prepare_threshold": None, "application_name": f"pg_trickle_{role}"}


def connect(url: str, *, role: str = "worker", autocommit: bool = True) -> Session:
    """Open a session named `pg_trickle_<role>`; an empty url means libpq's own environment.

    What the url says itself wins over our defaults. Statements are never prepared by the driver,
    so the session works behind a transaction pooler; programs cache their plans in PL/pgSQL.
    """
    conn = Session.connect(url, autocommit=autocommit, **session_arguments(url, role=role))
    _adjust(conn)
    return conn


def _adjust(conn: Connection[TupleRow]) -> None:
    """Undo what a database or role may have for its default and a driver cannot read or a refresh cannot bear."""
    pooled = is_pooled(conn)
    if not _is(conn, "DateStyle", "ISO"):  # a pooler keeps this one apart for each of its clients
        _set(conn, "DateStyle", "ISO")
    if not pooled:
        _set(conn, "default_transaction_isolation", "read committed")
    if not conn.autocommit:
        conn.commit()
    if pooled:
        conn.isolation_level = IsolationLevel.READ_COMMITTED


def _set(conn: Connection[TupleRow], name: str, value: str) -> None:
    conn.execute("SELECT set_config(%s, %s, false)", (name, value))


@contextmanager
def stated_isolation(conn: Connection[Any]) -> Iterator[None]:
    """Run statements at the isolation that was asked of the session.

    Behind a pooler the session's own default may be another, and is not ours to change; so each transaction begins by
    saying its own. Elsewhere, and inside a transaction, nothing has to be said.
    """
    if conn.isolation_level is None or conn.info.transaction_status is not TransactionStatus.IDLE:
        yield
        return
    with conn.transaction():
        yield


def _is(conn: Connection[TupleRow], name: str, value: str) -> bool:
    return (conn.info.parameter_status(name) or value).startswith(value)


def is_pooled(conn: Connection[TupleRow]) -> bool:
    """Whether something stands between us and the server process, so that session state is not ours."""
    row = conn.execute("SELECT pg_backend_pid()").fetchone()
    return row is None or int(row[0]) != conn.info.backend_pid
