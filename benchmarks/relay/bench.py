"""What all parts of the benchmark work with: the database, the pipelines in it, a relay as users start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
from psycopg import Connection, sql

from benchmarks.report import Goal, judge
from benchmarks.server import Database

OUTBOX = "bench"
INBOXES = ("bench_in_0", "bench_in_1")
BATCH = 500
# Passwords are given to a relay by reference alone.
SECRETS = {"BENCH_RABBITMQ_PASSWORD": "guest", "BENCH_S3_SECRET": "bench-secret"}


@dataclass(frozen=True, slots=True)
class Bench:
    """One run and what it has found so far."""

    database: Database
    conn: Connection[Any]
    folder: Path
    say: Callable[[str], None]
    quick: bool
    rows: list[dict[str, Any]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    def row(self, what: str, kind: str, size: int | None, who: str, messages: int, **found: Any) -> None:
        self.rows.append({"what": what, "kind": kind, "bytes": size, "who": who, "messages": messages, **found})

    def goal(self, name: str, value: float, unit: str, bound: Literal["at least", "at most"], limit: float) -> None:
        self.goals.append(judge(name, value, unit, bound, limit, counts=not self.quick))

    def number(self, asked: str, *values: Any) -> int:
        row = self.conn.execute(asked.encode(), values).fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    def fill_outbox(self, messages: int, size: int) -> None:
        """An outbox of so many messages of a hundred keys, each of so many bytes."""
        self.conn.execute("SELECT pgtrickle.drop_outbox(%s, true)", (OUTBOX,))
        self.conn.execute("SELECT pgtrickle.create_outbox(%s)", (OUTBOX,))
        table = sql.Identifier("pgtrickle", f"outbox_{OUTBOX}")
        self.conn.execute(
            sql.SQL(
                "INSERT INTO {} (key, payload, content_type, inserted_count)"
                " SELECT (n %% 100)::text, jsonb_build_object('n', n, 'text', repeat('x', greatest(1, %s))),"
                " 'application/json', 1 FROM generate_series(1, %s) n"
            ).format(table),
            (size - 30, messages),
        )
        self.conn.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))

    def carry_out(self, name: str, outbox: str, sink: dict[str, Any]) -> None:
        self.conn.execute(
            "SELECT pgtrickle.set_relay_outbox(%s, %s, sink => %s, options => %s)",
            (name, outbox, json.dumps(sink), json.dumps({"format": "raw"})),
        )

    def carry_in(self, name: str, inbox: str, source: dict[str, Any]) -> None:
        self.conn.execute("SELECT pgtrickle.set_relay_inbox(%s, %s, source => %s)", (name, inbox, json.dumps(source)))

    def forget(self, name: str) -> None:
        self.conn.execute("SELECT pgtrickle.delete_relay(%s)", (name,))

    def delivered(self, group: str) -> int:
        return self.number("SELECT delivered_id FROM pgtrickle.pgt_consumer_groups WHERE group_name = %s", group)

    def running(self) -> int:
        return self.number("SELECT count(*) FROM pgtrickle.relay_status() WHERE state = 'running'")

    @contextmanager
    def relay(self, processes: int = 1) -> Iterator[psutil.Process]:
        """A relay as users start it."""
        url = self.database.url
        command = [sys.executable, "-m", "trickle", "relay", "--postgres-url", url, "--processes", str(processes)]
        with (self.folder / "relay.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **SECRETS}
            )
        try:
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
