"""Schedules: durations (`5s`, `1h30m`), cron expressions (UTC), and `calculated`.

duration   <int><unit>…, units s m h d w; a bare integer is seconds
cron       five fields, six with leading seconds, or an alias such as @hourly
none       `calculated`, stored as NULL: due whenever there is something to do
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from trickle.cron import Cron, parse_cron
from trickle.errors import DefinitionError

_PART = re.compile(r"([0-9]+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_SECONDS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Every:
    """A period; the tier of the table stretches it."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Calculated:
    """Whenever an input has changed."""


Schedule = Every | Cron | Calculated


@lru_cache(maxsize=4096)
def parse_schedule(text: str | None) -> Schedule:
    """The schedule that a text means; NULL is `calculated`.

    >>> parse_schedule("1h30m")
    Every(seconds=5400)
    >>> parse_schedule("@hourly")
    Cron(expression='0 * * * *', time_zone='UTC')
    """
    if text is None or text == "calculated":
        return Calculated()
    if re.search(r"\s", text) or text.startswith("@"):
        return parse_cron(text)
    return Every(parse_duration_seconds(text))


def parse_duration_seconds(text: str) -> int:
    """Seconds of `5s`, `1h30m` or `90`."""
    if text.isascii() and text.isdigit():
        seconds = int(text)
    else:
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise _wrong(text, "a duration is written like 30s, 5m or 1h30m, with the units s, m, h, d and w")
        seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise _wrong(text, f"a duration is between 1 and {_LONGEST_SECONDS} seconds")
    return seconds


def _wrong(text: str, hint: str) -> DefinitionError:
    return DefinitionError(f"invalid schedule {text!r}", hint=hint)
