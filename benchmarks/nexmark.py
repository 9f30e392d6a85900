"""Nexmark, q0 to q22 as SQL over tables. Left out is q12, whose windows are those of the clock on the wall."""

from __future__ import annotations

from benchmarks import nexmark_data
from benchmarks.suite import Rate, Suite

SUITE = Suite(
    name="nexmark",
    load=nexmark_data.load,
    apply=nexmark_data.apply,
    # How many events a batch adds, of those there are; sizes are counted in millions of events.
    rates=(Rate("0.1 %", 1_000), Rate("0.01 %", 100)),
    facts="bid",
    stated_size=1.0,
)
