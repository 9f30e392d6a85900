"""Root with and without user namespaces, and ordinary users: who runs the server, what they can reach."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from support.server import require_server

import trickle
from trickle import embedded
from trickle.embedded import layout, readable, run_as
from trickle.embedded.run_as import Account, Observed, RunAs, choose
from trickle.errors import ConfigurationError

Settings = dict[str, embedded.Setting]
NOBODY = Account(65534, 65534)

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become somebody else")


class TestTheChoice:
    """`choose` is a table; these are its rows."""

    def test_an_ordinary_user_runs_it_as_itself(self) -> None:
        assert choose(Observed(False, False, None), made_as_account=False) == RunAs("self")

    def test_root_prefers_a_user_namespace(self) -> None:
        chosen = choose(Observed(True, True, NOBODY), made_as_account=False)
        assert (chosen.kind, chosen.account) == ("namespace", None)

    def test_root_becomes_nobody_where_namespaces_are_denied(self) -> None:
        chosen = choose(Observed(True, False, NOBODY), made_as_account=False)
        assert (chosen.kind, chosen.account) == ("account", NOBODY)

    def test_files_of_nobody_stay_nobodys(self) -> None:
        assert choose(Observed(True, True, NOBODY), made_as_account=True).kind == "account"

    def test_without_either_the_error_says_what_to_do(self) -> None:
        with pytest.raises(ConfigurationError, match="ordinary user"):
            choose(Observed(True, False, None), made_as_account=False)


@pytest.fixture
def nobodys_places(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """User namespaces denied, and the places kept for `nobody` moved to a directory of this test."""
    require_server()
    place = Path(tempfile.mkdtemp(prefix="t-"))
    place.chmod(0o755)
    monkeypatch.setattr(run_as, "namespaces_allowed", lambda: False)
    monkeypatch.setattr(layout, "ACCOUNT_HOME", place / "lib")
    monkeypatch.setattr(readable, "CACHE", place / "cache")
    yield place
    shutil.rmtree(place)


@only_root
def test_without_namespaces_nobody_runs_it(nobodys_places: Path, data_dir: Path, small: Settings) -> None:
    server = embedded.start(data_dir, settings=small, die_with_parent=True)
    assert psutil.Process(server.pid).uids().real == NOBODY.uid
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert server.socket_dir.is_relative_to(nobodys_places)
    # What root writes and reads must not be in nobody's hands.
    assert server.socket_dir.parent.stat().st_uid == 0
    embedded.stop(server)
    assert embedded.start(data_dir, settings=small).data_dir == server.data_dir


@only_root
def test_programs_that_nobody_can_read_are_copied_with_their_libraries(
    nobodys_places: Path, data_dir: Path, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = embedded.bindir()
    package = original.parent.parent
    private = nobodys_places / "private"
    shutil.copytree(original.parent, private / package.name / original.parent.name, symlinks=True)
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, private / libraries.name, symlinks=True)
    if original.is_relative_to("/usr"):
        pytest.skip("the distribution's server cannot be moved")
    private.chmod(0o700)
    chosen = private / package.name / original.parent.name / "bin"
    monkeypatch.setenv("TRICKLE_PG_BIN", str(chosen))
    server = embedded.start(data_dir, settings=small)
    program = Path(psutil.Process(server.pid).cmdline()[0])
    assert program.is_relative_to(nobodys_places / "cache")
    assert program.stat().st_uid == 0
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@only_root
def test_the_files_of_a_namespace_stay_roots(data_dir: Path, small: Settings) -> None:
    if not run_as.namespaces_allowed():
        pytest.skip("user namespaces are denied here")
    server = embedded.start(data_dir, settings=small)
    owners = {path.lstat().st_uid for path in data_dir.rglob("*")}
    assert owners == {0}
    assert psutil.Process(server.pid).uids().real == 0


@only_root
def test_an_ordinary_user_starts_and_stops_it() -> None:
    """As `nobody`, from a readable copy of this package and of the programs, in a directory of its own."""
    require_server()
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    python = readable_python(as_nobody)
    place = Path(tempfile.mkdtemp(prefix="t-"))
    place.chmod(0o755)
    try:
        package = place / "code" / "trickle"
        source = Path(trickle.__file__).parent
        shutil.copytree(source / "embedded", package / "embedded")
        shutil.copy(source / "errors.py", package)
        (package / "__init__.py").touch()
        programs = copy_of_programs(place)
        home = place / "home"
        home.mkdir()
        os.chown(home, 65534, 65534)
        answer = subprocess.run(
            [*as_nobody, python, "-c", AS_NOBODY],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(package.parent),
                "PYTHONDONTWRITEBYTECODE": "1",
                "XDG_DATA_HOME": str(home),
                "TRICKLE_PG_BIN": str(programs),
            },
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout) == {"ran_as": 65534, "stopped": True, "restarted": True}
    finally:
        shutil.rmtree(place)


AS_NOBODY = """
import json, os
from trickle import embedded
server = embedded.start(settings={"fsync": False, "shared_buffers": "8MB"}, die_with_parent=True)
ran_as = os.stat(f"/proc/{server.pid}").st_uid
stopped = embedded.stop()
restarted = embedded.start(die_with_parent=True).started_here
embedded.stop(mode="immediate")
print(json.dumps({"ran_as": ran_as, "stopped": stopped, "restarted": restarted}))
"""


def readable_python(as_nobody: list[str]) -> str:
    for python in (sys.executable, "/usr/bin/python3"):
        check = [*as_nobody, python, "-c", "import sys; assert sys.version_info >= (3, 11)"]
        try:
            if subprocess.run(check, capture_output=True, check=False).returncode == 0:
                return python
        except OSError:
            continue
    pytest.skip("no Python here that another account may run")


def copy_of_programs(place: Path) -> Path:
    """The programs where anybody can run them; the distribution's are there already."""
    directory = embedded.bindir()
    if directory.is_relative_to("/usr"):
        return directory
    prefix = directory.parent
    shutil.copytree(prefix, place / prefix.parent.name / prefix.name, symlinks=True)
    for libraries in prefix.parent.parent.glob(f"{prefix.parent.name}.libs"):
        shutil.copytree(libraries, place / libraries.name, symlinks=True)
    return place / prefix.parent.name / prefix.name / directory.name
