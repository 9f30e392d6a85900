"""The kinds of work that instances claim, as the chaos test sees them: a kind joins it by standing in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import psycopg

from chaos import load, pipelines
from chaos.conftest import prepare


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of claimed work."""

    name: str
    prepare: Callable[[str], None]  # on a database with the catalog
    load: Callable[[str], AbstractContextManager[None]]  # makes work until the block ends
    assert_settled: Callable[[psycopg.Connection[Any]], None]  # all of it was done, exactly once
    held: str  # a query for (group, name, backend pid) of what is claimed
    runs: str  # what claims it: `worker` or `relay`
    instances: int  # so many at a time
    options: dict[str, Any]  # of each


STREAM_TABLES = Kind(
    name="stream tables",
    prepare=prepare,
    load=load.load,
    assert_settled=load.assert_settled,
    # By name or with a shard. Who waits for another one's claim does not work under its own.
    held="SELECT c.group_id, c.pgt_schema || '.' || c.pgt_name, c.backend_pid"
    " FROM pgtrickle._claims AS c WHERE NOT c.waits",
    runs="worker",
    instances=5,
    options={"tick_seconds": 0.5},
)
PIPELINES = Kind(
    name="pipelines",
    prepare=pipelines.prepare,
    load=pipelines.load,
    assert_settled=pipelines.assert_settled,
    held=pipelines.HELD,
    runs="relay",
    instances=3,
    options={},
)
KINDS = (STREAM_TABLES, PIPELINES)
