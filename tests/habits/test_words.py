"""The tree is finished work, and holds nothing of the machine it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support.repository import ROOT

# Written in pieces, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
PRIVATE = re.compile("|".join(("(^|[^A-Za-z0-9_])/ro" + "ot/", "/ho" + "me/[a-z]", "--index" + "-url")))
TEXT = {".py", ".sql", ".cfg", ".ini", ".toml", ".md", ".yml", ".yaml", ".json", ".mako", ".sh", ""}


def tracked() -> list[Path]:
    """The files git knows, or would take; in an archive without git, all that are not hidden."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        found = [ROOT / name for name in answer.splitlines()]
    except (OSError, subprocess.CalledProcessError):
        found = [path for path in ROOT.rglob("*") if not path.relative_to(ROOT).parts[0].startswith(".")]
    return [path for path in found if path.is_file() and path.suffix in TEXT]


@pytest.mark.parametrize("pattern", [UNFINISHED, PRIVATE], ids=["unfinished", "private"])
def test_no_such_words(pattern: re.Pattern[str]) -> None:
    offenders = []
    for path in tracked():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line):
                offenders.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not offenders
