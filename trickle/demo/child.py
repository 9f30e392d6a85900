"""The entry of the demo's processes: `python -m trickle.demo.child PARENT_PID ROLE JSON`.

Before anything else a child ties its life to its parent's. Only then it imports what its role needs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from trickle.worker.isolate import die_with_parent

_ORPHANED = 1


def main(arguments: list[str]) -> int:
    parent_pid, role, told = int(arguments[0]), arguments[1], json.loads(arguments[2])
    if not die_with_parent(parent_pid):
        return _ORPHANED
    return _ROLES[role](told)


def _worker(told: dict[str, Any]) -> int:
    """What `trickle worker` runs."""
    from trickle.supervisor.loop import run_worker
    from trickle.supervisor.options import WorkerOptions

    return run_worker(WorkerOptions(**told))


def _replay(told: dict[str, Any]) -> int:
    from trickle.demo import replay

    return replay.run(**told)


_ROLES: dict[str, Callable[[dict[str, Any]], int]] = {"worker": _worker, "replay": _replay}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
