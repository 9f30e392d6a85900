"""What the CTEs around a state table are called, by those that write them and those that read them."""

from __future__ import annotations

WEIGHT = "__pgt_w"


def state_net(number: int) -> str:
    """The rows to insert, update and delete."""
    return f"state_{number}"


def state_touched(number: int) -> str:
    """The stored rows that are updated or deleted."""
    return f"state_{number}_touched"


def state_now(number: int) -> str:
    """The rows as they are now."""
    return f"state_{number}_now"


def state_before(number: int) -> str:
    """The rows as they were."""
    return f"state_{number}_before"


def state_change(number: int) -> str:
    """The signed rows between the two, under the weight `WEIGHT`."""
    return f"state_{number}_change"


def state_left(number: int) -> str:
    """The rows that the change leaves alone."""
    return f"state_{number}_left"


def state_come(number: int) -> str:
    """The rows that the change brings."""
    return f"state_{number}_come"
