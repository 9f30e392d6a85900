"""Differentiation: for each operator, how its output changes when its inputs do.

In comes a relation in normal form; out goes a relation of signed rows over the leaves `Change` (what was
captured since the frontier) and `Scan` (the table as the statement sees it, that is, new). Rules return algebra,
never SQL, and each stands in its own file under its law. Notation: Δ is the change of a bag, ⊎ adds weights,
⋈ multiplies them.
"""

from trickle.ivm.delta.derivative import Delta, derive
from trickle.ivm.delta.measured import Measure, derive_measured
from trickle.ivm.delta.net import netted

__all__ = ["Delta", "Measure", "derive", "derive_measured", "netted"]
