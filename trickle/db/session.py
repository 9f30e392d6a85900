"""Opening a session: the same time-outs, keep-alives and name for every part of the system."""

from __future__ import annotations

from hashlib import sha256

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from trickle.errors import ConfigurationError

# A peer that vanished without a word is noticed within about ten seconds on either side.
_KEEPALIVES: dict[str, int] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def refresh_role(group_id: str, instance_id: str) -> str:
    """The role of an instance's refresh sessions. Its mark lets peers find and end those of a frozen instance.

    >>> refresh_role("default", "a")
    'refresh_38d26a3370622dce'
    """
    return f"refresh_{sha256(f'{len(group_id)}/{group_id}{instance_id}'.encode()).hexdigest()[:16]}"


def connect(url: str, *, role: str = "worker", autocommit: bool = True) -> Connection[TupleRow]:
    """Open a session named `pg_trickle_<role>`; an empty url means libpq's own environment.

    What the url says itself wins over our defaults. Statements are never prepared by the driver,
    so the session works behind a transaction pooler; programs cache their plans in PL/pgSQL.
    """
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            f"the connection string is not valid: {error}",
            hint="use postgresql://user@host:port/database or libpq key=value pairs",
        ) from error
    settings = {key: value for key, value in _KEEPALIVES.items() if key not in given}
    conn = psycopg.connect(
        url,
        autocommit=autocommit,
        prepare_threshold=None,
        application_name=f"pg_trickle_{role}",
        **settings,  # type: ignore[arg-type]
    )
    _adjust(conn)
    return conn


def _adjust(conn: Connection[TupleRow]) -> None:
    """Undo what a database or role may have for its default and a driver cannot read or a refresh cannot bear."""
    asked = {"DateStyle": "ISO", "IntervalStyle": "postgres"}
    settings = {name: value for name, value in asked.items() if not _is(conn, name, value)}
    if not is_pooled(conn):  # else the next one to get this session would have it too
        settings["default_transaction_isolation"] = "read committed"
    for name, value in settings.items():
        conn.execute("SELECT set_config(%s, %s, false)", (name, value))
    if not conn.autocommit:
        conn.commit()


def _is(conn: Connection[TupleRow], name: str, value: str) -> bool:
    return (conn.info.parameter_status(name) or value).startswith(value)


def is_pooled(conn: Connection[TupleRow]) -> bool:
    """Whether something stands between us and the server process, so that session state is not ours."""
    row = conn.execute("SELECT pg_backend_pid()").fetchone()
    return row is None or int(row[0]) != conn.info.backend_pid
