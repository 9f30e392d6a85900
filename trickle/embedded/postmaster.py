"""Is a server running in this directory? Read from its `postmaster.pid`, believed only with the process to
match.

The file has, line by line: process id, data directory, start time, port, socket directory, TCP address,
shared memory key, state. A server that was killed leaves it behind, and its process id may belong to anybody
by then.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

# No kernel hands this out, so PostgreSQL finds it dead, and goes on to check the shared memory of a former
# server.
_NOBODYS_PID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Postmaster:
    pid: int
    port: int
    socket_dir: Path
    ready: bool


def read_postmaster(pgdata: Path) -> Postmaster | None:
    """The live server of a data directory, or None."""
    lines = _lines(pgdata)
    pid = _pid(lines)
    if pid is None or not is_server_of(pid, pgdata):
        return None
    if len(lines) < 8 or not lines[3].strip().isdigit():
        return Postmaster(pid, 0, Path(), ready=False)
    ready = lines[7].strip() in ("ready", "standby")
    return Postmaster(pid, int(lines[3]), Path(lines[4].strip()), ready)


def is_server_of(pid: int, pgdata: Path) -> bool:
    """Whether a process is the server of this directory: its command line says so. A zombie has none."""
    if not _alive(pid):
        return False
    if not sys.platform.startswith("linux"):
        return True
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(pgdata) in words


def disown_recycled_pid(pgdata: Path) -> bool:
    """Prepare a start after a crash; tell whether there was one.

    If the process id in the file now belongs to a stranger, PostgreSQL would refuse to start. Deleting the
    file would also delete its protection against backends of the former server that still run, so only the
    id is changed.
    """
    lines = _lines(pgdata)
    pid = _pid(lines)
    if pid is None:
        return False
    if _alive(pid) and not is_server_of(pid, pgdata):
        lines[0] = f"{_NOBODYS_PID}\n"
        # Not through a link: the file's owner may be an account with fewer rights than ours.
        descriptor = os.open(pgdata / "postmaster.pid", os.O_RDWR | os.O_NOFOLLOW)
        with open(descriptor, "r+", encoding="utf-8") as file:
            file.writelines(lines)
            file.truncate()
    return True


def _lines(pgdata: Path) -> list[str]:
    try:
        return (pgdata / "postmaster.pid").read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError:
        return []


def _pid(lines: list[str]) -> int | None:
    text = lines[0].strip() if lines else ""
    return int(text) if text.isdigit() and int(text) > 1 else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
