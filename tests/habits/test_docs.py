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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_opens_with_its_title(page: Path) -> None:
    assert page.read_text(encoding="utf-8").startswith("# ")


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


def test_what_is_shown_of_scheduling_works(db: Database) -> None:
    text = (ROOT / "docs" / "scheduling.md").read_text(encoding="utf-8")
    with db.connect() as owner:
        owner.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int, amount numeric)")
        for block in re.findall(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for statement in block.split(";\n"):
                if statement.strip():
                    owner.execute(statement.encode())
        found = owner.execute("SELECT array_agg(member_name ORDER BY 1) FROM pgtrickle.diamond_groups()").fetchone()
        assert found == (["counts", "pairs", "sums"],)


OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def test_what_operators_are_told_to_type_works(db: Database) -> None:
    """Every statement of the page on a database with a stream table that has failed once, and refreshes of it."""
    with db.connect() as owner, trickle.connect(db.url) as client:
        owner.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int, amount numeric)")
        owner.execute("INSERT INTO orders SELECT i, i % 3, i FROM generate_series(1, 9) i")
        query = "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer"
        client.create_stream_table("order_totals", query, schedule="1s")
        owner.execute("SELECT pgtrickle._record_failure(1, now(), '40P01', 'deadlock detected', 'SCHEDULER')")
        owner.execute("INSERT INTO orders VALUES (10, 1, 5)")
        client.refresh_stream_table("order_totals")
        for block in re.findall(r"^```sql\n(.*?)^```$", OPERATING, re.MULTILINE | re.DOTALL):
            for statement in re.sub(r"--[^\n]*", "", block).split(";\n"):
                if statement.strip():
                    owner.execute(statement.encode())
        remedies = re.findall(r"\| `(SELECT [^`]+)`", OPERATING)
        assert len(remedies) >= 4
        owner.execute("SELECT pgtrickle.gate_source('orders')")
        for remedy in remedies:
            if "reset_fuse" not in remedy:
                owner.execute(remedy.encode())
        assert client.verify("order_totals").equal


def test_every_function_of_the_field_is_there_or_has_a_reason_not_to_be(db: Database) -> None:
    named = set((ROOT / "tests" / "seeds" / "functions.txt").read_text(encoding="utf-8").split())
    listed = OPERATING[OPERATING.index("## Functions of pg_trickle that are not here") :]
    absent = {
        name for row in re.findall(r"^\| (`.*?) \|", listed, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    with db.connect() as owner:
        query = "SELECT proname::text FROM pg_proc WHERE pronamespace = 'pgtrickle'::regnamespace"
        there = {name for (name,) in owner.execute(query).fetchall()}
    assert named - there == absent & named
    assert not absent & there


def test_every_alert_is_on_the_page() -> None:
    runtime = (ROOT / "trickle" / "sql" / "runtime").glob("*.sql")
    text = "\n".join(path.read_text(encoding="utf-8") for path in runtime)
    sent = set(re.findall(r"_alert(?:_seldom)?\(\s*'([a-z_]+)'", text))
    lasting = (ROOT / "trickle" / "sql" / "runtime" / "_lasting_troubles.sql").read_text(encoding="utf-8")
    sent |= set(re.findall(r"^    SELECT '([a-z_]+)', ", lasting, re.MULTILINE))
    told = set(re.findall(r"`([a-z_]+)`", OPERATING))
    assert len(sent) > 12 and sent <= told


def test_what_is_shown_of_tenants_works(db: Database) -> None:
    text = (ROOT / "docs" / "tenants.md").read_text(encoding="utf-8")
    with db.connect() as owner:
        for block in re.findall(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for statement in block.split(";\n"):
                if statement.strip():
                    owner.execute(statement.encode())
        assert owner.execute("SELECT data->>'tenantId' FROM jobs_acme.job").fetchone() == ("acme",)
        assert owner.execute("SELECT tenant_id, schema_name FROM pgtrickle.tenants").fetchone() == ("acme", "jobs_acme")


def test_what_is_shown_of_jobs_works(db: Database) -> None:
    text = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    with db.connect() as owner:
        for block in re.findall(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for statement in re.sub(r"--[^\n]*", "", block).split(";\n"):
                if statement.strip():
                    owner.execute(statement.encode())
        assert owner.execute("SELECT count(*) FROM pgtrickle.job").fetchone() == (8,)
