"""Small rewrites of a relation into an equal relation; the order, and why, is `PASSES`.

1. `fuse_blocks` first: everything after it sees selections, projections and inner joins as one operator.
2. `hoist_factors` second: what is asked of one input alone is seen before conditions go down.
3. `push_filters` third: conditions go down while they still stand in one place.
4. `plain_tests` fourth: what is never NULL is known from the conditions that stand below.
5. `prune_columns` fifth: a block knows exactly what it reads of each input, so scans shrink to what is used.
6. `nest_arms` last: only what is derived has an order.
"""

from trickle.ivm.algebra.passes.fuse_blocks import fuse_blocks
from trickle.ivm.algebra.passes.hoist_factors import hoist_factors
from trickle.ivm.algebra.passes.nest_arms import nest_arms
from trickle.ivm.algebra.passes.plain_tests import plain_tests
from trickle.ivm.algebra.passes.prune_columns import prune_columns
from trickle.ivm.algebra.passes.push_filters import push_filters

__all__ = ["fuse_blocks", "hoist_factors", "nest_arms", "plain_tests", "prune_columns", "push_filters"]
