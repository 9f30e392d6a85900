"""Which databases this launcher should look after: the shares of instances, over databases instead of units. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from trickle.supervisor.claims import Member, assign


@dataclass(frozen=True, slots=True)
class Database:
    """A database that may be worked in."""

    oid: int
    name: str
    key: int  # of its claim
    is_wanted: bool = False  # somebody waits until nobody is connected to it: DROP, RENAME, or a copy


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look showed: databases that we may connect to and were named, and the live launchers by session."""

    databases: tuple[Database, ...]
    members: tuple[int, ...]


def mine(sight: Sight, with_catalog: Collection[int], us: int) -> frozenset[str]:
    """The databases with the catalog that are this launcher's; `us` is the process id of its session."""
    ours = [database for database in sight.databases if database.oid in with_catalog]
    owners = assign({database.key for database in ours}, [Member(str(pid)) for pid in sight.members])
    return frozenset(database.name for database in ours if owners.get(database.key) == str(us))


def to_look_into(sight: Sight, known: Mapping[int, bool], is_time: bool) -> tuple[Database, ...]:
    """The databases of which to ask whether they have the catalog: new ones, and all when it is time."""
    return tuple(d for d in sight.databases if not d.is_wanted and (is_time or d.oid not in known))
