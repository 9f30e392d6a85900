"""Who watches whom: each member the next one in the order of their names, the last one the first.

Everyone who dies is watched by someone, and when that one dies too, by whoever watches the two of them next:
the nearest survivor before a dead member notices, looks at all members, and finds the next one to watch.
Whoever sees that the one it watched is gone, however it came to look, tells everybody to look as well.
"""

from __future__ import annotations

from collections.abc import Iterable


def successor(members: Iterable[str], me: str) -> str | None:
    """The member that `me` watches; None when there is no other."""
    others = sorted(set(members) - {me})
    return next((other for other in others if other > me), others[0] if others else None)


def must_tell(before: Iterable[str], now: Iterable[str], me: str) -> bool:
    """Whether the member that `me` watched is gone: perhaps nobody else knows."""
    watched = successor(before, me)
    return watched is not None and watched not in set(now)
