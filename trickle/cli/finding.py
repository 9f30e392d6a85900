"""One thing that was found: what was looked at, how bad it is, the evidence, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; an ERROR makes the command end with 1."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    level: Level
    detail: str
    hint: str = ""


def or_ok(check: str, found: Iterable[Finding], ok: str) -> tuple[Finding, ...]:
    """What was found, or that all is well."""
    return tuple(found) or (Finding(check, Level.OK, ok),)
