"""What a run of the demo is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trickle.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options of `trickle demo`; an impossible one is refused here, before anything is started."""

    minutes_per_second: float = 15.0  # of the simulated day, for each second that passes here
    seconds: float | None = None  # None: until Ctrl-C
    workers: int = 3
    with_chaos: bool = False
    with_check: bool = False
    is_plain: bool = False  # lines in place of the live view
    data_dir: Path | None = None  # None: a throw-away directory

    def __post_init__(self) -> None:
        if self.minutes_per_second <= 0:
            raise ConfigurationError(f"the speed must be greater than zero, not {self.minutes_per_second:g}")
        if self.seconds is not None and self.seconds <= 0:
            raise ConfigurationError(f"the number of seconds must be greater than zero, not {self.seconds:g}")
        if not 1 <= self.workers <= 16:
            raise ConfigurationError(f"the number of workers must be from 1 to 16, not {self.workers}")
        if self.with_chaos and self.workers < 2:
            raise ConfigurationError(
                "chaos needs at least two workers", hint="a killed one's work goes to the others: --workers 3"
            )
