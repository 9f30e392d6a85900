"""Wrong usage ends with 2 and says what would be right; every verb explains itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import typer

from trickle.cli.main import app

VERBS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_the_verbs() -> None:
    promised = {
        "init",
        "create",
        "alter",
        "drop",
        "refresh",
        "pause",
        "resume",
        "list",
        "status",
        "explain",
        "verify",
        "worker",
        "relay",
    }
    assert promised | {"doctor", "demo", "pg", "errors", "settings", "jobs", "supervisor"} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(at: Callable[..., object], verb: str) -> None:
    assert at("")(verb, "--help").stdout.strip()


@pytest.mark.parametrize(
    "words",
    [
        ("frobnicate",),
        ("create",),
        ("create", "x"),
        ("create", "x", "SELECT 1", "--file", "q.sql"),
        ("create", "x", "SELECT 1", "--if-not-exists", "--or-replace"),
        ("create", "x", "SELECT 1", "--set", "nonsense"),
        ("alter", "x"),
        ("refresh",),
        ("drop",),
        ("explain",),
        ("explain", "x", "--query", "q.sql"),
        ("verify",),
        ("verify", "x", "--all"),
        ("list", "--no-such-option"),
    ],
)
def test_wrong_usage_ends_with_2(at: Callable[..., object], words: tuple[str, ...]) -> None:
    result = at("postgresql://127.0.0.1:1/none")(*words, expect=2)
    assert "Usage" in result.stderr


def test_a_query_file_that_is_missing(at: Callable[..., object]) -> None:
    result = at("postgresql://127.0.0.1:1/none")("create", "x", "--file", "/no/such.sql", expect=1)
    assert "cannot read the query from /no/such.sql" in result.stderr


def test_python_m_trickle_is_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "trickle", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("trickle ")


def test_importing_trickle_loads_nothing() -> None:
    code = "import sys, trickle; print([n for n in sys.modules if n.split('.')[0] in ('trickle', 'psycopg')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['trickle']"


def test_help_keeps_square_brackets(at: Callable[..., object]) -> None:
    assert "trickle-pg[demo]" in " ".join(at("")("demo", "--help").stdout.split())
