"""What a supervisor and the process of a tenant say to each other: one JSON object per line, over a socket.

supervisor ──tenant and how to run it──▶ process        first word, after the fork: nobody else has seen it
supervisor ──stop──▶ process                            again: without waiting for jobs
process ──hot, standing, ended──▶ supervisor
end of the stream                                       the other side is gone
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trickle.tenants.tenant import Tenant

LONGEST_LINE = 1 << 20
FORK = b"f"  # to the nursery, with the end of a socket
READY = b"r"  # from the nursery


@dataclass(frozen=True, slots=True)
class Plan:
    """How the jobs of a tenant are run."""

    tenant: Tenant
    concurrency: int = 10
    batch: int = 100
    drain_seconds: float = 30.0
    tenant_pool_max: int = 5  # connections for handlers
    tenant_key: str = "tenantId"  # of the payload; empty: not looked at
    report_seconds: float = 0.2
    refreshes: bool = False  # whether its stream tables are worked on as well
    pipelines: bool = False  # and its pipelines
    secrets: str | None = None  # directory that these may read
    group_id: str = "default"  # for the claims on both
    idle_seconds: float = 60.0  # what is due within so long keeps the tenant hot
    log_format: str = "text"
    log_level: str = "info"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a tenant's process stands."""

    is_busy: bool
    active: int
    ended: Mapping[str, int]  # attempts since the last time, by `outcome queue`
    mismatched: int = 0  # jobs of others since the last time


def encode_plan(plan: Plan) -> bytes:
    return _line(asdict(plan))


def decode_plan(line: bytes) -> Plan:
    found = json.loads(line)
    return Plan(**{**found, "tenant": Tenant(**found["tenant"])})


def encode(kind: str, **fields: object) -> bytes:
    return _line({"kind": kind, **fields})


def decode(line: bytes) -> dict[str, Any]:
    found = json.loads(line)
    return found if isinstance(found, dict) else {}


def read_line(conn: socket.socket) -> bytes:
    """The first line, without taking anything behind it; empty when the other side is gone."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < LONGEST_LINE:
        one = conn.recv(1)
        if not one:
            return b""
        line += one
    return bytes(line)


def _line(found: Mapping[str, object]) -> bytes:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
