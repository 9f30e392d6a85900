"""Servers that exist for one run: a test session, a demo.

    <directory>/trickle-<uid>/  of this user, mode 0700
        lock                    held while entries are made or swept
        server-xxxx/            a data directory
            owner               locked by its owner for as long as the owner, or a child it forked, lives

An owner that was killed leaves its directory behind; its lock is free, so the next one removes it.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trickle.embedded.file_lock import locked, try_lock
from trickle.embedded.launch import Setting, start, stop
from trickle.embedded.layout import layout_of, remove_short_directory
from trickle.embedded.server import Server
from trickle.errors import ConfigurationError

_LOCK_SECONDS = 60.0


@contextmanager
def temporary(
    *, settings: Mapping[str, Setting] | None = None, wait_seconds: float = 60.0, directory: Path | None = None
) -> Iterator[Server]:
    """A server that ends with this process, and its data, below a directory for temporary files, with the block."""
    base = _base_directory(directory or Path(tempfile.gettempdir()))
    with locked(base / "lock", wait_seconds=_LOCK_SECONDS):
        _sweep(base)
        data_dir = Path(tempfile.mkdtemp(prefix="server-", dir=base))
        owner = try_lock(data_dir / "owner")
    try:
        yield start(data_dir, settings=settings, die_with_parent=True, wait_seconds=wait_seconds)
    finally:
        _remove(data_dir)
        if owner is not None:
            os.close(owner)


def _base_directory(directory: Path) -> Path:
    """This user's own directory: its name can be guessed, so one that is not ours is not used."""
    base = directory / f"trickle-{os.geteuid()}"
    try:
        base.mkdir(mode=0o700)
    except FileExistsError:
        seen = base.lstat()
        private = stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid() and not seen.st_mode & 0o022
        if not private:
            raise ConfigurationError(
                f"{base} belongs to somebody else", hint="set TMPDIR to a directory of your own"
            ) from None
    return base


def _sweep(base: Path) -> None:
    for data_dir in base.glob("server-*"):
        try:
            owner = try_lock(data_dir / "owner")
        except FileNotFoundError:
            continue  # its owner is just removing it
        if owner is not None:
            _remove(data_dir)
            os.close(owner)


def _remove(data_dir: Path) -> None:
    """Stop what runs there and delete it, with what was put elsewhere because it did not fit here."""
    layout = layout_of(data_dir)
    stop(data_dir, "immediate")
    remove_short_directory(layout)
    if layout.made_as_account:
        shutil.rmtree(layout.cluster, ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)
