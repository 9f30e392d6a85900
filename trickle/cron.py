"""Cron expressions: five fields, six with leading seconds, or an alias such as @hourly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from trickle.errors import DefinitionError

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class Cron:
    """Moments by the wall clock of a time zone."""

    expression: str
    time_zone: str = "UTC"

    def next_after(self, moment: datetime) -> datetime | None:
        """The first moment strictly after this one, in UTC; None when the expression has no future."""
        local = moment.astimezone(_zone(self.time_zone))
        found = next(iter(CronSim(self.expression, local)), None)
        return None if found is None else found.astimezone(UTC)


def parse_cron(text: str, time_zone: str = "UTC") -> Cron:
    """The moments that a text means.

    Raises:
        DefinitionError: it is no cron expression, or nobody here knows the time zone.

    >>> parse_cron("@hourly")
    Cron(expression='0 * * * *', time_zone='UTC')
    """
    expression = _ALIASES.get(text.strip().lower(), text.strip())
    try:
        CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise DefinitionError(
            f"invalid schedule {text!r}", hint="five fields, six with leading seconds, or an alias such as @hourly"
        ) from error
    _zone(time_zone)
    return Cron(expression, time_zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DefinitionError(
            f"unknown time zone {name!r}", hint="a name such as Europe/Berlin; the system's or Python's tzdata has them"
        ) from error
