"""Physical copies of a server, made as one makes them in earnest: by pg_basebackup."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from trickle import embedded


def base_backup(primary: embedded.Server, directory: Path, *, follows: bool = False) -> Path:
    """A copy of a running server, to be started with `embedded.start(directory)`; its data directory.

    One that `follows` streams from the primary, by an address of ours: the one that a newer pg_basebackup writes has
    options that an older server does not know.
    """
    embedded.start(directory, settings={"fsync": False})
    embedded.stop(directory)
    data = next(directory.rglob("PG_VERSION")).parent
    owner = data.stat()
    shutil.rmtree(data)
    backup = [str(embedded.tool("pg_basebackup")), "-d", primary.url(), "-D", str(data), "-X", "stream"]
    subprocess.run([*backup, "-c", "fast"], check=True, capture_output=True)
    if follows:
        with (data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = '{primary.url()}'\n")
        (data / "standby.signal").touch()
    give_to(data, owner)
    return data


def give_to(data: Path, owner: os.stat_result) -> None:
    """Everything in a data directory belongs to whom it belonged to."""
    for path in (data, *data.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def recover_to(data: Path, wal: Path, lsn: str) -> None:
    """Let the copy replay the log in `wal` up to `lsn` at its next start, and go on as a server of its own."""
    owner = data.stat()
    with (data / "postgresql.auto.conf").open("a") as file:
        file.write(f'restore_command = \'cp "{wal}/%f" "%p"\'\n')
        file.write(f"recovery_target_lsn = '{lsn}'\nrecovery_target_action = 'promote'\n")
    (data / "recovery.signal").touch()
    give_to(data, owner)
