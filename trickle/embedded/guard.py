"""Making a server end with the process that started it, however that process ends.

Two ways, because each has a hole:

    setpriv --pdeathsig   the kernel sends SIGINT when the *thread* that forked the server ends. Right from
                          the main thread only, and Linux only.
    a watchdog            a shell that reads a pipe nobody writes to; the read ends when the last holder of
                          the other end is gone. Children forked later hold it too, so it ends with the last
                          of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Literal

Guard = Literal["none", "kernel", "watchdog"]

# The parent may die before its child has asked for the signal; then the child's parent is already another.
_START_UNLESS_ORPHAN = 'test "$PPID" = "$1" || exit 1; shift; exec "$@"'
_WATCH = 'cat >/dev/null; kill -INT "$1"'


def choose_guard(die_with_parent: bool) -> Guard:
    if not die_with_parent:
        return "none"
    main_thread = threading.current_thread() is threading.main_thread()
    if main_thread and sys.platform.startswith("linux") and shutil.which("setpriv"):
        return "kernel"
    return "watchdog"


def guarded(command: Sequence[str], guard: Guard) -> list[str]:
    """The command, preceded by the request for the signal; credentials must already have been changed."""
    if guard != "kernel":
        return list(command)
    orphan_test = ["sh", "-c", _START_UNLESS_ORPHAN, "sh", str(os.getpid())]
    return ["setpriv", "--pdeathsig", "INT", *orphan_test, *command]


def watch(pid: int) -> subprocess.Popen[bytes]:
    """Start the watchdog of a server. Its pipe stays open in this process until this process is gone."""
    return subprocess.Popen(
        ["sh", "-c", _WATCH, "sh", str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
