"""The benchmarks stand in the checkout, not in the wheel; the installed product must still be found first."""

from __future__ import annotations

import sys

from support.repository import ROOT

if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
