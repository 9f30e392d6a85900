"""The units of systemd: enough time to drain, no more rights than needed, no restarts that cannot help."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from support.deployed import DEPLOY

from trickle.supervisor import options as o

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
_WRONG_COMMAND_LINE = 2  # of every command
each = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def settings(unit: Path) -> dict[str, str]:
    """By section and name; a name stands once, so that none hides another."""
    found: dict[str, str] = {}
    section = ""
    for line in unit.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            assert (section, name) and f"{section}.{name}" not in found, line
            found[f"{section}.{name}"] = value
    return found


def test_every_part_is_there() -> None:
    assert [unit.name for unit in UNITS] == [
        "trickle-relay.service",
        "trickle-supervisor.service",
        "trickle-worker@.service",
    ]


@each
def test_it_has_time_to_drain(unit: Path) -> None:
    told = settings(unit)
    words = shlex.split(told["Service.ExecStart"])
    assert float(told["Service.TimeoutStopSec"]) >= float(words[words.index("--drain-timeout") + 1]) + 15
    assert told["Service.KillMode"] == "mixed", "its children are told by their parent, once"


@each
def test_it_has_few_rights(unit: Path) -> None:
    told = settings(unit)
    assert told["Service.DynamicUser"] == "yes" and "Service.User" not in told
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp"):
        assert told[f"Service.{name}"] == "yes"
    assert told["Service.ProtectSystem"] == "strict"
    # An address has a password in it, and what stands in a unit everybody may read.
    assert told["Service.EnvironmentFile"].startswith("/etc/trickle/")
    assert "postgresql://" not in unit.read_text(encoding="utf-8")


@each
def test_it_is_started_again_unless_that_cannot_help(unit: Path) -> None:
    told = settings(unit)
    assert told["Service.Restart"] == "on-failure"
    codes = {int(code) for code in told["Service.RestartPreventExitStatus"].split()}
    assert codes == {_WRONG_COMMAND_LINE, o.EXIT_CONFIGURATION}


@each
def test_it_speaks_to_systemd(unit: Path) -> None:
    told = settings(unit)
    # Settings of a supervisor are not read anew.
    assert told["Service.Type"] == ("notify" if "supervisor" in unit.name else "notify-reload")
    assert float(told["Service.WatchdogSec"]) >= 60
