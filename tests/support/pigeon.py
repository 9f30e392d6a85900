"""A package of somebody else with a sink and a source, installed for as long as a test needs it.

It is found the way any package is, by its entry points, and its options are of every type there is.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trickle.relay.message import Incoming, Message

MODULE = """
from __future__ import annotations

from dataclasses import dataclass

from trickle.errors import ConfigurationError
from trickle.relay.connector import SinkConnector, SourceConnector
from trickle.relay.options import option


@dataclass(frozen=True, slots=True)
class Leg:
    country: str = option("Where it leads through.")
    days: int = option("How long it takes.", default=1, unit="d", minimum=1, maximum=9)


@dataclass(frozen=True, slots=True)
class PigeonOptions:
    url: str = option("Pigeonry.")
    loft: str = option("Where it flies to.", default="loft.{op}", template=True)
    password: str = option("What it says there.", default="", secret=True)
    rings: tuple[str, ...] = option("Secrets on its legs.", default=(), secret=True)
    height: float = option("How high it flies.", default=20.0, unit="m", minimum=0.5, maximum=100)
    eggs: int = option("How many.", default=2, minimum=0)
    homing: bool = option("Whether it comes back.", default=True)
    breed: str = option("Which it is.", default="rock", choices=("rock", "wood", "collared"))
    names: tuple[str, ...] = option("What it listens to.", default=())
    labels: dict[str, str] = option("What is written on it.", default={})
    route: tuple[Leg, ...] = option("Where it flies.", default=())
    ttl: int | None = option("How long it lives.", default=None, minimum=1)
    default_url: str = ""

    def __post_init__(self) -> None:
        if self.breed == "wood" and not self.homing:
            raise ConfigurationError("a wood pigeon that does not come back is lost")


class Pigeon:
    keeps_order = True

    def __init__(self, options):
        self.options = options


SINK = SinkConnector("pigeon", PigeonOptions, Pigeon, "loft", "its ring", "it has been fed")
SOURCE = SourceConnector("pigeon", PigeonOptions, Pigeon, "its ring", "it has been let go")
"""

ENTRY_POINTS = """
[trickle.sinks]
pigeon = pigeon_post:SINK
nats = pigeon_post:SINK
lame = pigeon_post:NOTHING
wrong = pigeon_post:SOURCE

[trickle.sources]
pigeon = pigeon_post:SOURCE
"""


@contextmanager
def pigeon_post(directory: Path) -> Iterator[None]:
    """The package installed in this directory."""
    (directory / "pigeon_post.py").write_text(MODULE)
    about = directory / "pigeon_post-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon-post\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(directory))
        sys.modules.pop("pigeon_post", None)


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def message(payload: bytes = b'{"total": 7, "region": "eu"}', **parts: Any) -> Message:
    """A message of an outbox, as the server has it."""
    plain = Message(
        outbox_id=11,
        event_id="2f0c1b1e-0000-4000-8000-00000000000b",
        created_at=NOON,
        key="42",
        payload=payload,
        content_type="application/json",
        headers={},
        inserted_count=1,
        deleted_count=0,
        is_jsonb=True,
    )
    return plain._replace(**parts)


def incoming(payload: bytes = b'{"total": 7}', **parts: Any) -> Incoming:
    """A message of a source."""
    plain = Incoming(
        event_id="pigeon:1",
        event_type=None,
        source="pigeon:loft",
        key=None,
        payload=payload,
        content_type="application/json",
        headers={},
        token=1,
    )
    return plain._replace(**parts)
