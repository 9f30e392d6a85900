"""The README is executed: its SQL, its Python and the table it prints. Oracle: PostgreSQL.

Catches: a README whose first example does not run, or prints something else than it says.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.databases import Database
from support.repository import ROOT
from typer.testing import CliRunner

from trickle.cli.main import app

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def printed_table() -> list[tuple[str, ...]]:
    """The result the README promises, cell by cell."""
    lines = blocks("text")[0].splitlines()
    return [tuple(cell.strip() for cell in line.split("|")) for line in lines if not set(line) <= set("-+ ")]


def test_the_sql_session_prints_what_the_readme_says(db: Database) -> None:
    session = blocks("sql")[0]
    with db.connect() as conn:
        for statement in re.split(r";\s*(?:--[^\n]*)?\n(?=\n|[A-Z])", session.strip() + "\n"):
            if statement.strip():
                cursor = conn.execute(statement.strip().removesuffix(";").encode())
        assert cursor.description is not None
        header = tuple(column.name for column in cursor.description)
        rows = [tuple(str(value) for value in row) for row in cursor]
    assert [header, *rows] == printed_table()


def test_the_python_example_runs(db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    test_the_sql_session_prints_what_the_readme_says(db)
    exec(compile(blocks("python")[0], "README.md", "exec"), {"url": db.url})
    assert capsys.readouterr().out.strip() == "NO_DATA"


def test_what_it_says_of_the_writing_transaction(db: Database) -> None:
    test_the_sql_session_prints_what_the_readme_says(db)
    with db.connect() as writer, db.connect() as reader:
        total = "SELECT total::text FROM order_totals WHERE customer_id = 7"
        for statement in re.sub(r"  --.*", "", blocks("sql")[1]).strip().removesuffix(";").split(";\n"):
            found = writer.execute(statement.encode())
            if "SELECT total" in statement:
                assert [str(value) for value in found.fetchone() or ()] == ["110.00"]
                assert reader.execute(total).fetchone() == ("10.00",)
        assert writer.execute(total).fetchone() == ("10.00",)


def test_every_command_it_shows_exists() -> None:
    shown = {line.split()[1] for block in blocks("sh") for line in block.splitlines() if line.startswith("trickle ")}
    for verb in sorted(shown):
        assert CliRunner().invoke(app, [verb, "--help"]).exit_code == 0, verb


def test_every_file_it_links_to_exists() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (Path(ROOT) / target).exists(), target
