"""SQL is source code: in files, one thing each, safe to run with its owner's rights."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from support.repository import PACKAGE, ROOT, sources

FILES = sorted((PACKAGE / "sql").rglob("*.sql"))
RUNTIME = [path for path in FILES if path.parent.name == "runtime"]


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", "", re.sub(r"--[^\n]*", "", text), flags=re.DOTALL)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE / "sql")))
def test_functions_with_their_owners_rights_pin_the_search_path(path: Path) -> None:
    """Without it, whoever calls the function decides what its names mean."""
    for statement in re.split(r"(?i)(?=\bCREATE\s+(?:OR\s+REPLACE\s+)?FUNCTION\b)", path.read_text("utf-8")):
        head = re.split(r"(?i)\bAS\s+\$", without_comments(statement))[0]
        if re.search(r"(?i)\bSECURITY\s+DEFINER\b", head):
            assert re.search(r"(?i)\bSET\s+search_path\s*(?:=|TO)\s*'?pg_catalog'?,\s*'?pg_temp'?", head)


@pytest.mark.parametrize("path", RUNTIME, ids=lambda path: path.stem)
def test_a_runtime_file_is_named_like_its_function(path: Path) -> None:
    text = without_comments(path.read_text(encoding="utf-8"))
    made = re.findall(r"(?i)\bCREATE\s+(?:OR\s+REPLACE\s+)?FUNCTION\s+([\w.]+)", text)
    if made:
        assert path.stem in {name.split(".")[-1] for name in made}


@pytest.mark.parametrize("path", RUNTIME, ids=lambda path: path.stem)
def test_a_backslash_means_itself(path: Path) -> None:
    """A function is read anew in every session, by the settings of that session unless it pins them."""
    text = without_comments(path.read_text(encoding="utf-8"))
    if "\\" in re.sub(r"E'(?:[^']|'')*'", "", text):
        assert "SET standard_conforming_strings = on" in text


def test_no_sql_is_formatted_at_the_call() -> None:
    """`execute(f"…")` quotes nothing: names go through the quoting functions, values are parameters."""
    offenders = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("trickle")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if executes_formatted_text(node)
    ]
    assert not offenders


def executes_formatted_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("execute", "executemany", "copy")
        and bool(node.args)
        and isinstance(node.args[0], ast.JoinedStr)
    )


def test_every_query_file_is_used() -> None:
    """By its name, or by the rest of it where the code joins a beginning to it: `queries/worker_{name}`."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources("trickle", "alembic"))
    beginnings = set(re.findall(r"queries/(\w+)\{", code))
    stems = [path.stem for path in FILES if path.parent.name == "queries"]
    unused = [
        stem
        for stem in stems
        if stem not in code
        and not any(stem.startswith(start) and f'"{stem[len(start) :]}"' in code for start in beginnings)
    ]
    assert not unused
