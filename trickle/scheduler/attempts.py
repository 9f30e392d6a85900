"""What was tried with each stream table, how it went, and when it may be tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trickle.scheduler.table import Table

# A program that could not be made is not tried at every tick, unless the catalog says something new about it.
COMPILE_RETRY_SECONDS = 60.0
_NEVER = float("-inf")


@dataclass(slots=True)
class _Trouble:
    """Failures in a row, and when the next attempt is allowed."""

    count: int
    not_before: float


class Attempts:
    """By stream table; moments are monotonic seconds."""

    def __init__(self) -> None:
        self._trouble: dict[int, _Trouble] = {}
        self._compiled: dict[int, tuple[tuple[object, ...], float]] = {}
        self._said: dict[int, str | None] = {}

    def read(self, tables: Mapping[int, Table]) -> frozenset[int]:
        """The catalog was read anew; the stream tables whose reason to be held back is another one, or has gone."""
        for memory in (self._trouble, self._compiled, self._said):
            for gone in memory.keys() - tables.keys():
                del memory[gone]
        changed = {i for i, reason in self._said.items() if tables[i].held != reason and not self.failures(i)}
        for pgt_id in changed:
            self._trouble.pop(pgt_id, None)
        return frozenset(changed)

    def failures(self, pgt_id: int) -> int:
        """In a row."""
        trouble = self._trouble.get(pgt_id)
        return trouble.count if trouble else 0

    def not_before(self, pgt_id: int) -> float:
        """When it may be tried again."""
        trouble = self._trouble.get(pgt_id)
        return trouble.not_before if trouble else _NEVER

    def failed(self, pgt_id: int, retry_at: float) -> None:
        self._trouble[pgt_id] = _Trouble(self.failures(pgt_id) + 1, retry_at)

    def succeeded(self, pgt_id: int) -> None:
        self._trouble.pop(pgt_id, None)

    def held_back(self, pgt_id: int, reason: str | None, again_at: float) -> None:
        """It has said why. The catalog as it was read may not show the reason yet: so it waits a moment."""
        self._trouble[pgt_id] = _Trouble(0, again_at)
        self._said[pgt_id] = reason

    def has_said(self, table: Table) -> bool:
        """Whether it is held back for a reason that was told."""
        return table.held is not None and self._said.get(table.pgt_id) == table.held

    def compiling(self, table: Table, at: float) -> None:
        """A program is being made."""
        self._compiled[table.pgt_id] = (_program_facts(table), at)

    def compile_again_at(self, table: Table) -> float:
        """When a program may be made, if one is wanted."""
        facts, tried_at = self._compiled.get(table.pgt_id, ((), 0.0))
        return tried_at + COMPILE_RETRY_SECONDS if facts == _program_facts(table) else _NEVER


def _program_facts(table: Table) -> tuple[object, ...]:
    return (table.program_state, table.program_version, table.refresh_mode)
