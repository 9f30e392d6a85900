"""The command in this process, against the test's database."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from support.databases import Database
from typer.testing import CliRunner, Result

from trickle.cli.main import app
from trickle.cli.target import LIBPQ_TARGETS


@dataclass(frozen=True)
class Trickle:
    """Runs `trickle …` with the test's database in the environment; keeps exit code and both outputs."""

    environment: dict[str, str | None]

    def __call__(self, *words: str, expect: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(words), env=self.environment, input=stdin)
        assert result.exit_code == expect, f"{words}: {result.exit_code}\n{result.output}\n{result.stderr}"
        return result

    def json(self, *words: str, expect: int = 0) -> Any:
        return json.loads(self(*words, "--json", expect=expect).stdout)


@pytest.fixture
def clean_environment() -> dict[str, str | None]:
    """Nothing of the developer's own shell leads a test to a database."""
    return dict.fromkeys((*LIBPQ_TARGETS, "TRICKLE_POSTGRES_URL", "TRICKLE_CONFIG"))


@pytest.fixture
def trickle(db: Database, clean_environment: dict[str, str | None]) -> Trickle:
    return Trickle({**clean_environment, "TRICKLE_POSTGRES_URL": db.url})


@pytest.fixture
def at(clean_environment: dict[str, str | None]) -> Callable[[str], Trickle]:
    """The command against any address."""
    return lambda url: Trickle({**clean_environment, "TRICKLE_POSTGRES_URL": url})


@pytest.fixture
def orders(db: Database) -> Database:
    """A small shop."""
    with db.connect() as owner:
        owner.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, amount numeric NOT NULL)")
        owner.execute("INSERT INTO orders SELECT n, n % 3, n FROM generate_series(1, 9) AS n")
    return db
