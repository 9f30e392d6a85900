"""The 22 queries of TPC-H. The goals are stated for scale factor 1."""

from __future__ import annotations

from benchmarks import tpch_data
from benchmarks.suite import Rate, Suite

SUITE = Suite(
    name="tpch",
    load=tpch_data.load,
    apply=tpch_data.apply,
    # How much of lineitem a batch changes, and in how many orders for each unit of scale factor.
    rates=(Rate("0.1 %", 375, 30.0), Rate("0.01 %", 37.5, 80.0)),
    facts="lineitem",
    stated_size=1.0,
)
