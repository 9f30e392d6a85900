"""Processes beside the relay: bare loops, those who publish or feed a broker, those who hear what comes out."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.relay.bench import SECRETS, Bench
from benchmarks.relay.kinds.kind import Kind, Reach

_PATIENCE_SECONDS = 600.0
_FILLINGS = itertools.count(1)

Helper = subprocess.Popen[str]


@dataclass(frozen=True, slots=True)
class Feed:
    """Messages for each of the tokens, whose numbers are those of the pipelines."""

    kind: Kind
    reach: Reach
    tokens: Sequence[str]
    messages: int
    size: int
    rate: float | None = None

    def start(self, bench: Bench, *, prepare: bool) -> Helper:
        return helper("feed", self._told(bench) | {"size": self.size, "rate": self.rate, "prepare": prepare})

    def bare(self, bench: Bench) -> Helper:
        """The loop that takes what was fed."""
        return helper("in", self._told(bench))

    def hear(self, bench: Bench) -> Helper:
        """Who takes it and says when it came."""
        return helper("hear", self._told(bench))

    def _told(self, bench: Bench) -> dict[str, object]:
        return told_of(bench, self.kind, self.reach, self.messages) | {"tokens": list(self.tokens)}


def told_of(bench: Bench, kind: Kind, reach: Reach, messages: int) -> dict[str, object]:
    database = bench.database.url
    return {"kind": kind.name, "reach": {**reach, "database": database}, "database": database, "messages": messages}


def helper(what: str, told: dict[str, object]) -> Helper:
    """One of the processes of `bare`."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.relay.bare", what, json.dumps(told)],
        env={**os.environ, **SECRETS},
        stdout=subprocess.PIPE,
        text=True,
    )


def publishing(bench: Bench, kind: Kind, reach: Reach, *, messages: int, rate: float, size: int) -> Helper:
    """Who publishes at a rate into the outbox."""
    return helper("publish", told_of(bench, kind, reach, messages) | {"rate": rate, "size": size})


def output_of(process: Helper) -> str:
    """What it printed, once it is done."""
    said, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    if process.returncode:
        raise ValueError(f"{process.args!r} ended with {process.returncode}")
    return said


def new_tokens(number: int) -> list[str]:
    filling = next(_FILLINGS)
    return [f"f{filling}-{pipeline}" for pipeline in range(number)]
