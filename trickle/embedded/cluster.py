"""From an empty directory to one that PostgreSQL can start: the cluster, its password, its door.

Every step can be interrupted: initdb works under another name and is renamed when complete, the rest is
repeated.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from trickle.embedded.binaries import server_version
from trickle.embedded.layout import Layout, make_private, short_directory
from trickle.embedded.run_as import RunAs
from trickle.embedded.server import SUPERUSER
from trickle.errors import ConfigurationError, Refused

_HBA = """\
# Whoever may enter the socket's directory (mode 0700) is trusted; see the essay of trickle.embedded.
local all         all                trust
local replication all                trust
host  all         all   127.0.0.1/32 scram-sha-256
host  replication all   127.0.0.1/32 scram-sha-256
"""


def prepare(layout: Layout, directory: Path, run_as: RunAs) -> str:
    """Make the cluster complete, whatever is there already; return the superuser's password."""
    _make_cluster_dir(layout, run_as)
    password = _password(layout.password)
    if not (layout.pgdata / "PG_VERSION").exists():
        _initdb(layout, directory, run_as, password)
    _check_version(layout, directory)
    _make_socket_dir(layout, run_as)
    _replace(layout.hba, _HBA, 0o644)
    _replace(layout.version, server_version(directory) + "\n", 0o644)
    return password


def read_password(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _make_cluster_dir(layout: Layout, run_as: RunAs) -> None:
    if run_as.kind != "account":
        make_private(layout.link)
    elif not layout.made_as_account:
        if layout.link.exists():
            raise Refused(
                f"{layout.data_dir} was made inside a user namespace, which this system does not allow now",
                hint="choose another data directory",
            )
        layout.account_cluster.mkdir(mode=0o755, parents=True, exist_ok=True)
        layout.link.symlink_to(layout.account_cluster)
    else:
        layout.account_cluster.mkdir(mode=0o755, parents=True, exist_ok=True)


def _password(path: Path) -> str:
    known = read_password(path)
    if not known:
        known = secrets.token_urlsafe(24)
        _replace(path, known + "\n", 0o600)
    return known


def _initdb(layout: Layout, directory: Path, run_as: RunAs, password: str) -> None:
    unfinished = layout.unfinished_pgdata
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    password_copy = layout.cluster / "initdb.password"
    _replace(password_copy, password + "\n", 0o600)
    for path in (unfinished, password_copy):
        give_to(run_as, path)
    command = [
        *run_as.prefix,
        *(str(directory / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, f"--pwfile={password_copy}"),
        *("-A", "scram-sha-256", "-N", "-E", "UTF8", "--locale=C", "--no-instructions"),
    ]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=server_environment())
    finally:
        password_copy.unlink(missing_ok=True)
    if made.returncode != 0:
        raise ConfigurationError(f"initdb failed: {(made.stderr or made.stdout).strip()}")
    unfinished.rename(layout.pgdata)


def _check_version(layout: Layout, directory: Path) -> None:
    made_by = (layout.pgdata / "PG_VERSION").read_text(encoding="ascii").strip()
    server = server_version(directory)
    if made_by != server.split(".")[0]:
        raise Refused(
            f"{layout.data_dir} was made by PostgreSQL {made_by}, and the server in {directory} is {server}",
            hint="choose another data directory, or a server of that major version with TRICKLE_PG_BIN",
        )


def _make_socket_dir(layout: Layout, run_as: RunAs) -> None:
    """The socket's directory; a link to a short one when the path would not fit into a socket's address."""
    if layout.socket.is_symlink() and not layout.socket.is_dir():
        layout.socket.unlink()
    if not layout.socket.is_dir():
        if layout.socket_fits:
            layout.socket.mkdir(mode=0o700)
        else:
            layout.socket.symlink_to(short_directory(layout))
    give_to(run_as, layout.socket)


def give_to(run_as: RunAs, path: Path) -> None:
    if run_as.account is not None:
        os.chown(path, run_as.account.uid, run_as.account.gid)


def server_environment() -> dict[str, str]:
    """Our environment without libpq's and the server's own variables, which would redirect what we start."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _replace(path: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all, with its mode from the first moment."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
    fresh.replace(path)
