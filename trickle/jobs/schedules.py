"""Jobs that are made again and again: when the next one is due. Pure."""

from __future__ import annotations

from datetime import datetime

from trickle.cron import parse_cron
from trickle.errors import DefinitionError


def next_moment(cron: str, time_zone: str, now: datetime) -> tuple[datetime | None, str | None]:
    """The first moment after `now`, or None and why there is none.

    What was missed while there was no runner is made up for once, not as often as it was missed.
    """
    try:
        found = parse_cron(cron, time_zone).next_after(now)
    except DefinitionError as error:
        return None, str(error)
    return found, None if found else "it has no moment in the future"
