"""What an instance and its carriers say to each other, over a pipe: pickled values, no behaviour.

instance ──Carry──▶ carrier        all pipelines that it is to carry from now on, and no others
carrier ──Stopped──▶ instance      these are not touched any more: their claims may go
carrier ──Report──▶ instance       once a second: that it lives, and how each fares of which something is new
instance ──Leave──▶ carrier        finish what is on its way and end
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trickle.relay.standing import Standing


@dataclass(frozen=True, slots=True)
class Claim:
    """What shows that a pipeline is ours: a lock of this session, under the name of the pipeline in this group."""

    group_id: str
    backend_pid: int


@dataclass(frozen=True, slots=True)
class PipelineRow:
    """A pipeline as the catalog has it."""

    name: str
    direction: str  # "forward" or "reverse"
    outbox: str | None
    group: str | None
    inbox: str | None
    connector: Mapping[str, Any]
    options: Mapping[str, Any]
    claim: Claim | None = None  # None: nobody asks for it


@dataclass(frozen=True, slots=True)
class Carry:
    rows: tuple[PipelineRow, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    pass


@dataclass(frozen=True, slots=True)
class Ended:
    """A pipeline came to its end; nothing is counted for this standing any more."""

    name: str
    standing: Standing
    is_changed: bool  # it is carried on, as another


@dataclass(frozen=True, slots=True)
class Report:
    standings: Mapping[str, Standing]


Command = Carry | Leave
News = Ended | Report
