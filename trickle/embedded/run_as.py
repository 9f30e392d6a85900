"""Who runs the server, and the words put before its command line to make it so.

`choose` decides from what `observe` saw; it is the table in the package's essay.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import Literal

from trickle.errors import ConfigurationError

_UNPRIVILEGED_ID = 65534
_NAMESPACE = (
    "unshare",
    "--user",
    f"--map-user={_UNPRIVILEGED_ID}",
    f"--map-group={_UNPRIVILEGED_ID}",
)


@dataclass(frozen=True, slots=True)
class Account:
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class RunAs:
    """How to start a program of the server: the prefix, and the account when it is not our own."""

    kind: Literal["self", "namespace", "account"]
    prefix: tuple[str, ...] = ()
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What decides: are we root, may root make user namespaces, is there an unprivileged account."""

    root: bool
    namespaces: bool
    account: Account | None


def observe() -> Observed:
    root = os.geteuid() == 0
    return Observed(root, root and namespaces_allowed(), _unprivileged_account() if root else None)


def choose(seen: Observed, *, made_as_account: bool) -> RunAs:
    """A cluster that was made as `nobody` stays `nobody`'s, also where namespaces have become possible."""
    if not seen.root:
        return RunAs("self")
    if seen.namespaces and not made_as_account:
        return RunAs("namespace", _NAMESPACE)
    if seen.account is None:
        raise ConfigurationError(
            "PostgreSQL does not run as root, and there are neither user namespaces nor an account 'nobody'",
            hint="run as an ordinary user",
        )
    uid, gid = seen.account.uid, seen.account.gid
    return RunAs("account", ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"), seen.account)


@cache
def namespaces_allowed() -> bool:
    """Tried rather than looked up: containers, sysctls and security modules each refuse in their own way."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def _unprivileged_account() -> Account | None:
    # An account with a name is required: initdb and postgres look their own name up.
    if shutil.which("setpriv") is None:
        return None
    for entry in pwd.getpwall():
        if entry.pw_uid == _UNPRIVILEGED_ID or entry.pw_name == "nobody":
            return Account(entry.pw_uid, entry.pw_gid)
    return None
