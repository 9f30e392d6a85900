"""How much of a virtual machine's processors its host gave to others: on such a machine every time is too long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_STOLEN, _STATES = 7, 8  # of what /proc/stat counts; guests stand behind, and are counted among the others already


@dataclass(frozen=True, slots=True)
class Ticks:
    """Processor time since the start of the machine, in ticks of all processors."""

    stolen: int
    all: int


def ticks() -> Ticks | None:
    """As it stands now; None where the system does not say."""
    try:
        return read(Path("/proc/stat").read_text(encoding="ascii"))
    except OSError:
        return None


def read(text: str) -> Ticks:
    """The first line of /proc/stat."""
    counted = [int(number) for number in text.splitlines()[0].split()[1 : 1 + _STATES]]
    return Ticks(counted[_STOLEN], sum(counted))


def stolen_between(before: Ticks | None, after: Ticks | None) -> float | None:
    """The share of all time that went to others."""
    if before is None or after is None or after.all <= before.all:
        return None
    return round((after.stolen - before.stolen) / (after.all - before.all), 3)
