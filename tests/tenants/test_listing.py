"""Lists of tenants: from a table, a file, a function; what is wrong with one of them is not the others' problem."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from support.databases import Database
from tenants.conftest import Conn

from trickle.errors import ConfigurationError
from trickle.tenants import Tenant, listing
from trickle.tenants.home import Home
from trickle.tenants.listing import Listing, compare

HOME = "postgresql://u@home/h"
TOML = """
[[tenants]]
id = "a"
url = "postgresql://a:${env:TRICKLE_A_PASSWORD}@db/a"
weight = 2
[[tenants]]
id = "b"
suspended = true
"""
YAML = """
tenants:
- {id: a, url: 'postgresql://a:${env:TRICKLE_A_PASSWORD}@db/a', weight: 2}
- {id: b, suspended: true}
"""


def read(found: Listing) -> list[Tenant]:
    async def work() -> list[Tenant]:
        return list(await found(cast(Home, None)))

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.toml", TOML),
        ("t.yaml", YAML),
    ],
)
def test_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv("TRICKLE_A_PASSWORD", "secret")
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    a, b = read(listing.file(path, HOME))
    assert a == Tenant("a", "postgresql://a:secret@db/a", weight=2)
    assert b == Tenant("b", HOME, is_suspended=True)
    assert "secret" not in repr(a)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tenants: {}", "no list"),
        ("- a", "no list"),
        ("tenants: [a]", "no list"),
        ("tenants: [", "not valid"),
    ],
)
def test_a_file_that_is_no_list(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=problem):
        read(listing.file(path, HOME))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(listing.file(tmp_path / "none.yaml", HOME))


@pytest.mark.parametrize(
    "row",
    [
        "{url: x}",
        "{id: ''}",
        "{id: a, weight: much}",
        "{id: a, weight: 0}",
        "{id: a, colour: red}",
        "{id: a, url: '${env:TRICKLE_NOT_SET}'}",
        "{id: a, url: '${env:HOME}'}",
    ],
)
def test_one_that_is_wrong_is_left_out(tmp_path: Path, row: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(f"tenants: [{row}, {{id: good}}]", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert [tenant.id for tenant in read(listing.file(path, HOME))] == ["good"]
    assert "supervisor.tenant_invalid" in caplog.text


def test_a_function_and_a_coroutine() -> None:
    async def later() -> list[Tenant]:
        return [Tenant("a", HOME)]

    assert read(listing.function(lambda: [Tenant("a", HOME)])) == read(listing.function(later))


def test_the_table(db: Database, conn: Conn) -> None:
    conn.execute(
        "INSERT INTO pgtrickle.tenants (tenant_id, url, schema_name) VALUES ('a', '', 'x'), ('b', 'host=h', 'y')"
    )

    async def work() -> Any:
        home = await Home.open(db.url, "g")
        try:
            return list(await listing.table(db.url)(home))
        finally:
            await home.close()

    assert sorted(asyncio.run(work()), key=lambda tenant: tenant.id) == [
        Tenant("a", db.url, "x"),
        Tenant("b", "host=h", "y"),
    ]


def test_what_changes() -> None:
    before = {name: Tenant(name, HOME) for name in "abc"}
    after = {
        "a": Tenant("a", HOME),
        "b": Tenant("b", "host=elsewhere"),
        "c": Tenant("c", HOME, is_suspended=True),
        "d": Tenant("d", HOME),
    }
    change = compare(before, after)
    assert change.gone == {"b", "c"}
    assert change.there.keys() == {"a", "b", "d"}


def test_a_function_that_fails_is_a_list_that_cannot_be_read() -> None:
    def broken() -> list[Tenant]:
        raise psycopg.OperationalError("its own database")

    with pytest.raises(ConfigurationError, match="has failed"):
        read(listing.function(broken))
