"""Every file says what it is for before it begins; every room opens with an essay."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest
from support.repository import PACKAGE, ROOT, sources

ROOMS = sorted(PACKAGE.glob("*/__init__.py"))
ESSAY_LINES = 5


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def test_every_file_opens_with_a_docstring() -> None:
    silent = [str(path.relative_to(ROOT)) for path in sources() if path.stat().st_size and not docstring(path)]
    assert not silent


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.parent.name)
def test_every_room_opens_with_an_essay(room: Path) -> None:
    assert len(docstring(room).splitlines()) >= ESSAY_LINES


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.parent.name)
def test_what_a_room_exports_exists(room: Path) -> None:
    module = importlib.import_module(f"trickle.{room.parent.name}")
    missing = [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)]
    assert not missing
