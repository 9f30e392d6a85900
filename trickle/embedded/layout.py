"""The paths of one data directory. Names only; the package's essay draws them."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trickle.embedded.binaries import bindir, server_version
from trickle.errors import ConfigurationError

ACCOUNT_HOME = Path("/var/lib/trickle")

# A socket's address holds 108 bytes on Linux and 104 elsewhere, with its name `.s.PGSQL.65535` and a closing
# zero.
_SOCKET_DIR_BYTES = 103 - len("/.s.PGSQL.65535")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of one embedded server is; `cluster` may be a link."""

    data_dir: Path

    @property
    def lock(self) -> Path:
        return self.data_dir / "lock"

    @property
    def password(self) -> Path:
        return self.data_dir / "password"

    @property
    def link(self) -> Path:
        return self.data_dir / "cluster"

    @property
    def cluster(self) -> Path:
        # Resolved, because the server is recognised by the path on its command line.
        return self.link.resolve()

    @property
    def made_as_account(self) -> bool:
        return self.link.is_symlink()

    @property
    def account_cluster(self) -> Path:
        """Where the cluster is when an account other than the caller's runs the server."""
        return ACCOUNT_HOME / hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:16]

    @property
    def pgdata(self) -> Path:
        return self.cluster / "pgdata"

    @property
    def unfinished_pgdata(self) -> Path:
        return self.cluster / "pgdata.unfinished"

    @property
    def socket(self) -> Path:
        return self.cluster / "socket"

    @property
    def socket_fits(self) -> bool:
        return len(os.fsencode(self.socket)) <= _SOCKET_DIR_BYTES

    @property
    def hba(self) -> Path:
        return self.cluster / "pg_hba.conf"

    @property
    def version(self) -> Path:
        return self.cluster / "version"

    @property
    def log(self) -> Path:
        return self.cluster / "server.log"


def layout_of(data_dir: Path | str | None) -> Layout:
    """The layout of a data directory, or of this user's own."""
    return Layout(Path(data_dir if data_dir is not None else default_data_dir()).absolute().resolve())


def default_data_dir() -> Path:
    """One directory per user and major version, so that another server never meets foreign files."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "trickle" / f"postgresql-{server_version(bindir()).split('.')[0]}"


def make_private(directory: Path) -> None:
    """Create a directory, and those above it, for its owner alone; an existing one is left as it is."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the data directory {directory} cannot be created: {error.strerror}",
            hint="choose another with --data-dir",
        ) from error


def short_directory(layout: Layout) -> Path:
    """A private place with a short name, for the socket of a data directory whose own path is too long.

    The name follows from the data directory, so that addresses outlive a restart. Somebody else may have taken it in
    the shared directory for temporary files: then any free name has to do.
    """
    digest = hashlib.sha256(os.fsencode(layout.data_dir)).hexdigest()[:12]
    wanted = Path(tempfile.gettempdir()) / f"trickle-socket-{os.geteuid()}-{digest}"
    try:
        wanted.mkdir(mode=0o700)
    except FileExistsError:
        found = wanted.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
            return Path(tempfile.mkdtemp(prefix="trickle-socket-"))
    return wanted


def remove_short_directory(layout: Layout) -> None:
    """Nothing of a stopped server stays outside its data directory."""
    if layout.socket.is_symlink():
        shutil.rmtree(layout.socket.resolve(), ignore_errors=True)
        layout.socket.unlink()
