"""Where a verb works, and how the command ends when that cannot be found out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from support.databases import Database

from trickle import embedded
from trickle.cli import target
from trickle.db.session import connect
from trickle.settings import Settings

Runner = Callable[..., object]


@pytest.mark.parametrize(
    ("url", "environment", "named"),
    [
        ("postgresql://localhost/shop", {}, True),
        ("", {"PGHOST": "db"}, True),
        ("", {"PGSERVICE": "shop"}, True),
        ("", {"PGDATABASE": "shop"}, True),
        ("", {"PGUSER": "bob", "PGPASSWORD": "secret"}, False),
        ("", {"PGHOST": ""}, False),
        ("", {}, False),
    ],
)
def test_what_names_a_database(url: str, environment: dict[str, str], named: bool) -> None:
    assert target.is_named(Settings(postgres_url=url), environment) is named


def test_no_name_means_the_embedded_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in target.LIBPQ_TARGETS:
        monkeypatch.delenv(name, raising=False)
    started: list[Path] = []

    def start(data_dir: Path) -> embedded.Server:
        started.append(data_dir)
        return embedded.Server(data_dir, Path("/s"), 5544, 1, "18.1", "secret", started_here=True)

    monkeypatch.setattr(embedded, "start", start)
    assert target.database_url(Settings()) == "postgresql://postgres@/postgres?host=%2Fs&port=5544"
    assert started == [embedded.default_data_dir()]
    captured = capsys.readouterr()
    assert "trickle pg stop" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "host=/nowhere-at-all"])
def test_a_server_that_does_not_answer_is_worth_another_try(at: Runner, url: str) -> None:
    result = at(url)("list", expect=4)
    assert "error[T300]" in result.stderr
    assert "is the server running" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("url", ["postgresql://[::1/x", "nonsense"])
def test_a_url_that_is_none_is_yours(at: Runner, url: str) -> None:
    assert "error[T101]" in at(url)("list", expect=1).stderr


def test_the_settings_file_is_read_from_the_option(at: Runner, tmp_path: Path) -> None:
    file = tmp_path / "trickle.toml"
    file.write_text("metrics_port = 99999\n")
    result = at("postgresql://x")("--config", str(file), "list", expect=1)
    assert f"metrics_port in {file}: 99999 is outside 0–65535" in result.stderr


def test_passwords_are_not_shown(at: Runner, tmp_path: Path) -> None:
    file = tmp_path / "trickle.toml"
    file.write_text('direct_url = "postgresql://bob:hunter2@db:5432/shop"\n')
    shown = at("")("--config", str(file), "settings").stdout
    assert "hunter2" not in shown
    assert all(part in shown for part in ("bob", "db", "5432", "shop"))


def test_sessions_of_a_profile_know_it(db: Database) -> None:
    """Beside what the address says already, and less than what the database says."""
    url = make_conninfo(db.url, options="-c pg_trickle.note=kept")
    with connect(target.with_profile(url, "low-latency")) as conn:
        read = "SELECT pgtrickle._setting('scheduler_interval_ms', '1000'), current_setting('pg_trickle.note')"
        assert conn.execute(read).fetchone() == ("200", "kept")
        conn.execute("SELECT pgtrickle.set_config('scheduler_interval_ms', '700')")
        assert conn.execute(read).fetchone() == ("700", "kept")
    assert target.with_profile(url, "") == url
