"""The pages under docs/ are executed like the README, and every file that they point to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.databases import Database
from support.repository import ROOT

import trickle

PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_it_points_to_exists(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_what_is_shown_of_storage_works(db: Database) -> None:
    text = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
    with db.connect() as owner, trickle.connect(db.url) as client:
        owner.execute("CREATE TABLE device (id int PRIMARY KEY, name text)")
        owner.execute("CREATE TABLE reading (id int PRIMARY KEY, at timestamptz, value float8, device_id int)")
        owner.execute("CREATE TABLE sale (id int PRIMARY KEY, day date, region text, amount numeric)")
        owner.execute("INSERT INTO sale VALUES (1, '2025-12-31', 'n', 1), (2, '2026-02-01', 's', 2)")
        for block in re.findall(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            owner.execute(block.encode())
        owner.execute("INSERT INTO device VALUES (1, 'a')")
        owner.execute("INSERT INTO reading VALUES (1, '2026-01-01', 0.5, 1)")
        for name in ("readings", "daily"):
            client.refresh_stream_table(name)
            assert client.verify(name).equal
        assert owner.execute("SELECT count(*) FROM daily_2026").fetchone() == (1,)
        assert owner.execute("SELECT count(*) FROM daily_default").fetchone() == (1,)
        client.alter_stream_table("daily", partition_by="")
        assert owner.execute("SELECT to_regclass('daily_2026')").fetchone() == (None,)
