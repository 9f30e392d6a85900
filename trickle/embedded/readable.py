"""Binaries that `nobody` can read: the originals where they can be read, else a copy that root owns.

A wheel in a private home (mode 0700) cannot be executed by another account, and opening the home is not ours
to do. The copy lives below /var/cache, never below a temporary directory where another user could put one
first.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from trickle.embedded.binaries import NEEDED
from trickle.embedded.run_as import RunAs

CACHE = Path("/var/cache/trickle")


def readable_bindir(directory: Path, run_as: RunAs) -> Path:
    """The directory itself, or that of a copy, whichever the server's account can execute."""
    if run_as.kind != "account" or _can_execute(run_as, directory):
        return directory
    place = CACHE / f"postgres-{_fingerprint(directory)}"
    if not place.exists():
        _copy(directory.parent, place)
    return place / directory.parent.parent.name / directory.parent.name / directory.name


def _can_execute(run_as: RunAs, directory: Path) -> bool:
    """Asked of a shell of that account: `setpriv` still has root's rights when it looks a path up."""
    programs = [str(directory / name) for name in NEEDED]
    words = [
        *run_as.prefix,
        "sh",
        "-c",
        'for program; do "$program" --version || exit 1; done',
        "sh",
        *programs,
    ]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def _fingerprint(directory: Path) -> str:
    """Changes when the programs do: an upgraded wheel at the same path gets a new copy."""
    seen = (directory / "postgres").stat()
    return hashlib.sha256(f"{directory}:{seen.st_mtime_ns}:{seen.st_size}".encode()).hexdigest()[:16]


def _copy(prefix: Path, place: Path) -> None:
    """Copy an installation with the libraries beside it.

    Wheels keep bundled libraries in a sibling directory of the package (`….libs`), which programs find by a
    path relative to themselves: so the copy keeps two levels of names, and the siblings of both.
    """
    CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    package = prefix.parent
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=CACHE))
    try:
        shutil.copytree(prefix, unfinished / package.name / prefix.name, symlinks=True)
        for libraries in package.parent.glob("*.libs"):
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for libraries in package.glob("*.libs"):
            shutil.copytree(libraries, unfinished / package.name / libraries.name, symlinks=True)
        _open_for_reading(unfinished)
        _publish(unfinished, place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _open_for_reading(tree: Path) -> None:
    """Ours to open, since it is our copy: directories and programs r-x for all, files r--."""
    for folder, _, files in os.walk(tree):
        os.chmod(folder, 0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _publish(unfinished: Path, place: Path) -> None:
    """Rename into place; somebody who was quicker has published the same thing."""
    try:
        unfinished.rename(place)
    except OSError:
        if not place.is_dir():
            raise
