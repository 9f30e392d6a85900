"""The printed statements of one section, run one by one as they stand; all of them have to be run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

PAGES = Path(__file__).parent / "printed"

Row = Mapping[str, Any]


def sections(page: str) -> dict[str, dict[str, str]]:
    """Section → name → statement, as printed."""
    found: dict[str, dict[str, str]] = {}
    text = (PAGES / f"{page}.sql").read_text(encoding="utf-8")
    for section, name, statement in re.findall(r"^--- (.+?) / (.+)\n((?:(?!--- ).*\n)+)", text, re.MULTILINE):
        found.setdefault(section, {})[name] = statement.rstrip()
    return found


class Printed:
    """The statements of one section and the session they are run in."""

    def __init__(self, page: str, section: str, conn: psycopg.Connection[Any]) -> None:
        self.statements = sections(page)[section]
        self.conn = conn
        self._left = set(self.statements)

    def text(self, name: str) -> str:
        """The statement, for one that another program runs."""
        self._left.discard(name)
        return self.statements[name]

    def run(self, name: str, **filled_in: str) -> list[Row]:
        """Run it; `filled_in` replaces what the page leaves to the reader, such as `...`. Its rows."""
        statement = self.text(name)
        for placeholder, value in filled_in.items():
            assert PLACEHOLDERS[placeholder] in statement
            statement = statement.replace(PLACEHOLDERS[placeholder], value)
        return self.rows(statement)

    def rows(self, statement: str) -> list[Row]:
        with self.conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            cursor.execute(statement.encode())
            return list(cursor) if cursor.description else []

    def row(self, name: str) -> Row:
        """Run it; its only row."""
        (found,) = self.run(name)
        return found

    def assert_all_run(self) -> None:
        assert not self._left, f"not run: {sorted(self._left)}"


PLACEHOLDERS = {"dots": "...", "epoch": "<epoch>", "event_id": "<event_id>"}
