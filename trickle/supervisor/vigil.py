"""Who may call another instance silent: only one that has itself been awake and beating all the while.

An instance that was frozen, or whose server was, wakes up to heartbeats that are all old. If it judged by them
it would end the sessions of peers that are as well as itself.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vigil:
    """Monotonic seconds: since when heartbeats of ours have come without a gap, and the last one."""

    since: float
    last: float


def beaten(vigil: Vigil | None, now: float, longest_gap: float) -> Vigil:
    """After a heartbeat of ours: the vigil goes on, or starts anew when the last one was too long ago."""
    if vigil is None or now - vigil.last > longest_gap:
        return Vigil(now, now)
    return Vigil(vigil.since, now)


def may_judge(vigil: Vigil, silence: float) -> bool:
    """Whether we have been awake for as long as a peer must have been silent."""
    return vigil.last - vigil.since >= silence
