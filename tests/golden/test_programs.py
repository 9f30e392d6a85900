"""Programs, read by a person once and compared ever after.

Lies it would catch: a change of the compiler whose author did not know that it changes programs; output that
depends on anything but the input.
Oracle: the texts beside this file, reviewed when they were written.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from golden.shop import CASES, Case

HERE = Path(__file__).parent


def told(case: Case) -> str:
    """All stages of a compilation as one text."""
    program = case.compile()
    storage = program.storage
    parts = {
        "query": case.query,
        "strategy": program.strategy,
        "algebra": program.algebra,
        "delta": program.delta,
        "captured": "\n".join(
            f"{oid}: {', '.join(map(str, numbers))}" for oid, numbers in sorted(program.captured.items())
        ),
        "storage": f"{storage.query}\n-- {'unique ' if storage.unique else ''}index ({', '.join(storage.index)})",
        "program": program.function,
    }
    return "\n\n".join(f"-- {name} {'-' * (100 - len(name))}\n{text.strip()}" for name, text in parts.items()) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_programs_are_as_reviewed(name: str) -> None:
    text, file = told(CASES[name]), HERE / f"{name}.txt"
    if os.environ.get("TRICKLE_GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"TRICKLE_GOLDEN=write writes {file.name} anew"


def test_no_text_is_left_over() -> None:
    assert {file.stem for file in HERE.glob("*.txt")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_names_that_are_made_fit(name: str) -> None:
    """PostgreSQL cuts longer names silently, and then two of them may be one."""
    names = re.findall(r'"((?:[^"]|"")+)"|\b(\w+)\b', CASES[name].compile().function)
    assert not [quoted or plain for quoted, plain in names if len((quoted or plain).replace('""', '"').encode()) > 63]


def test_the_same_input_gives_the_same_text_in_every_process() -> None:
    """Hash seeds differ between processes, so a set that is iterated shows."""
    script = "from golden.shop import CASES\nfrom golden.test_programs import told\nprint(*map(told, CASES.values()))"
    path = os.pathsep.join([str(HERE.parent), *filter(None, sys.path)])
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(texts) == 1
