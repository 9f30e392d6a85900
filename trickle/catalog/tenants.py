"""Supervisors and their tenants, as the home database knows them, and words to whoever looks after a tenant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from trickle.sql import load

GROUP_PREFIX = "tenants:"


def lock_group(group_id: str) -> str:
    """The name that the locks of a group of supervisors are made from."""
    return GROUP_PREFIX + group_id


def hot(conn: Connection[Any], group_id: str) -> Sequence[dict[str, Any]]:
    """The hot tenants, the oldest first."""
    return _rows(conn, "tenants_hot", group_id)


def supervisors(conn: Connection[Any], group_id: str) -> Sequence[dict[str, Any]]:
    """Who is running, and how full each pool is."""
    return _rows(conn, "tenants_supervisors", group_id)


def listed(conn: Connection[Any], group_id: str) -> Sequence[dict[str, Any]]:
    """The rows of pgtrickle.tenants."""
    return _rows(conn, "tenants_table", group_id)


def tell(conn: Connection[Any], word: str) -> None:
    """A word for all supervisors that have their home here: `promote ID` or `demote ID`."""
    conn.execute(load("queries/tenants_tell"), {"word": word})


def _rows(conn: Connection[Any], name: str, group_id: str) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load(f"queries/{name}"), {"group": lock_group(group_id)}).fetchall()
