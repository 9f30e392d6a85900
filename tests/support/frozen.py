"""SIGSTOP, and what a test may build on: from here on nothing of that process moves.

The signal is sent at once; that all threads stand still takes until the kernel has given each of them a turn, and on a
busy machine one of them may answer a last request meanwhile.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from support.waiting import until


def freeze(pid: int) -> None:
    """Stop a process; return when each of its threads is stopped."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: _states(pid) <= {"T"}, what=f"process {pid} stands still")


def freeze_group(group: int) -> None:
    """Stop a process group; return when each thread of its processes is stopped."""
    os.killpg(group, signal.SIGSTOP)
    until(lambda: all(_states(pid) <= {"T", "Z"} for pid in _members(group)), what=f"group {group} stands still")


def _states(pid: int) -> set[str]:
    """As in proc_pid_stat(5), which follow the command's name, which may contain anything."""
    states: set[str] = set()
    for file in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread may end before it is stopped
            states.add(file.read_text(encoding="utf-8", errors="replace").rpartition(") ")[2][0])
    return states


def _members(group: int) -> list[int]:
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [pid for pid in pids if _group_of(pid) == group]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
