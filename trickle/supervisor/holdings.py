"""The claims in our hands: taken, looked at, used, and given back.

A claim alone does not say that nobody else works on a stream table. Another instance may count other shards, for a
moment or until a long refresh is done, and hold the same stream table under another lock. So whoever takes a claim
looks at all locks of the group before using it, and again whenever the catalog was read anew: of two who claim one
stream table in two ways, the one that looks later sees the other, and leaves the stream table alone until it is
free.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg import Connection

from trickle.db.locks import shard_count
from trickle.logs import event
from trickle.scheduler.table import Table
from trickle.supervisor import claims, observe
from trickle.supervisor.layout import Layout
from trickle.supervisor.link import ServerLink

log = logging.getLogger(__name__)


class Holdings:
    """What one instance should hold of its group, and what it does hold."""

    def __init__(self, link: ServerLink, group_id: str) -> None:
        self.layout = Layout()
        self.mine: frozenset[str] = frozenset()
        self._link = link
        self._group_id = group_id
        self._looked_at: frozenset[str] = frozenset()
        self._elsewhere: frozenset[int] = frozenset()
        self._usable: frozenset[int] = frozenset()
        self._facts: tuple[object, ...] = (None,) * 6  # from which that was computed

    def assign(self, layout: Layout, mine: frozenset[str]) -> None:
        """What we should hold from now on."""
        self.layout = layout
        self.mine = mine
        self._looked_at = frozenset()

    def forget(self) -> None:
        """The lock session is gone, and everything with it."""
        self.assign(Layout(), frozenset())

    def usable(self, tables: Mapping[int, Table]) -> frozenset[int]:
        """The stream tables that we may work on: the same object until something about it changes."""
        facts = (self._link.held_names(), self.mine, self._looked_at, self._elsewhere, self.layout, tables)
        if any(now is not before for now, before in zip(facts, self._facts, strict=True)):
            self._facts = facts
            in_use = self._link.held_names() & self.mine & self._looked_at
            found = self._covered(tables.values(), in_use) - self._elsewhere
            self._usable = self._usable if found == self._usable else found
        return self._usable

    def settle(self, control: Connection[Any], tables: Mapping[int, Table], in_hand: frozenset[str]) -> bool:
        """Give back what is no longer ours, take what is, and look before using it; whether anything was given back."""
        before = self._link.held_names()
        decision = claims.decide(self.mine, before, in_hand)
        self.give_back(decision.release)
        self._take(decision.take)
        self._look(control, tables)
        after = self._link.held_names()
        if after != before:
            gained, given_up = len(after - before), len(before - after)
            event(log, logging.INFO, "claims changed", held=len(after), gained=gained, released=given_up)
        return bool(before - after)

    def give_back(self, names: frozenset[str]) -> None:
        """Release claims; when they are taken again they are looked at again."""
        if names:
            self._looked_at -= names
            self._link.release(names & self._link.held_names())

    def _take(self, names: frozenset[str]) -> None:
        """Take claims; the shards are made known first, else nobody could tell what their locks stand for."""
        self._link.announce_shards(_shard_counts(self._link.held_names() | names))
        try:
            self._link.take(names)
        except psycopg.errors.OutOfMemory:
            event(log, logging.WARNING, "the server's lock table is full: not everything could be claimed")

    def _look(self, control: Connection[Any], tables: Mapping[int, Table]) -> None:
        held = self._link.held_names()
        if (held == self._looked_at and not self._elsewhere) or self._link.locks is None:
            return
        ours = self._covered(tables.values(), held & self.mine)
        elsewhere = observe.read_conflicts(control, self._group_id, ours, self._link.locks.backend_pid)
        if elsewhere != self._elsewhere:
            self._link.announce_waits(elsewhere)
        self._elsewhere = elsewhere
        self._looked_at = held
        if self._elsewhere:
            event(log, logging.INFO, "claimed otherwise by another instance still", stream_tables=len(self._elsewhere))

    def _covered(self, tables: Iterable[Table], names: frozenset[str]) -> frozenset[int]:
        claim_of = self.layout.claim_of
        return frozenset(table.pgt_id for table in tables if claim_of.get(table.full_name) in names)


def _shard_counts(names: Iterable[str]) -> frozenset[int]:
    return frozenset(count for name in names if (count := shard_count(name)) is not None)
