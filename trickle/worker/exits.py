"""Exit codes of a refresh subprocess, and what the parent reads in them."""

from __future__ import annotations

STOPPED = 0  # told to stop, or the parent is gone
CRASHED = 1  # a defect of ours: replaced, with growing back-off
CONFIGURATION = 78  # EX_CONFIG: cannot work however often it is started
UNAVAILABLE = 69  # EX_UNAVAILABLE: no connection to the server; worth another start later
