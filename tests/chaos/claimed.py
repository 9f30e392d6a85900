"""The kinds of work that instances claim, as the chaos test sees them: a kind joins it by standing in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import psycopg

from chaos import load
from chaos.conftest import prepare


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of claimed work."""

    name: str
    prepare: Callable[[str], None]  # on a database with the catalog
    load: Callable[[str], AbstractContextManager[None]]  # makes work until the block ends
    assert_settled: Callable[[psycopg.Connection[Any]], None]  # all of it was done, exactly once
    held: str  # a query for (group, name, backend pid) of what is claimed


STREAM_TABLES = Kind(
    name="stream tables",
    prepare=prepare,
    load=load.load,
    assert_settled=load.assert_settled,
    held="SELECT o.group_id, o.pgt_schema || '.' || o.pgt_name, o.backend_pid FROM pgtrickle.ownership AS o",
)
KINDS = (STREAM_TABLES,)
