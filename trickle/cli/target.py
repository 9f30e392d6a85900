"""Where a verb works: settings from all their sources, and the database they lead to."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import trickle.client
from trickle import config, embedded
from trickle.catalog.settings import from_profile, read_given, read_settings
from trickle.catalog.sqlstates import translated
from trickle.cli import output
from trickle.client import Client
from trickle.clock import backoff_seconds
from trickle.errors import TryAgain
from trickle.settings import Settings

# Any of these names a server for libpq; a user name or a password alone does not.
LIBPQ_TARGETS = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE")

# As long as an instance that has its settings waits for the server at its start.
_STARTUP_SECONDS = 30.0

Flags = Mapping[str, object | None]


def resolve(context: typer.Context, flags: Flags) -> Settings:
    """Settings without those of the database."""
    return config.merge(*_sources(context, flags))


def every_source(context: typer.Context, flags: Flags) -> tuple[config.Source, ...]:
    """All sources in rising precedence; that of the database is left out where no database is named."""
    file, environment, command_line = _sources(context, flags)
    settings = config.merge(file, environment, command_line)
    named = is_named(settings, os.environ)
    database = database_settings(settings.postgres_url) if named else {}
    return file, environment, database, command_line


def resolve_with_database(context: typer.Context, flags: Flags) -> tuple[Settings, str]:
    """Settings with those of the database they lead to, and its URL; for services, which outlast a server's restart."""
    file, environment, command_line = _sources(context, flags)
    url = database_url(config.merge(file, environment, command_line))
    database = _patiently(lambda: database_settings(url))
    sources = (file, environment, database, command_line)
    profile = config.merge(*sources).profile
    merged = config.merge(from_profile(profile), *sources)
    # Sessions of a database that names the profile know it without being told.
    is_known = "profile" in database and config.merge(database).profile == profile
    return (replace(merged, profile="") if is_known else merged), url


def database_settings(url: str) -> config.Source:
    """The settings that stand in a database."""
    with trickle.client.connect(url) as client, translated("settings", client.connection):
        return read_settings(client.connection)


def _patiently(read: Callable[[], config.Source]) -> config.Source:
    """What is read as soon as the server answers; raises TryAgain when it has not for long."""
    give_up_at = time.monotonic() + _STARTUP_SECONDS
    attempt = 0
    while True:
        try:
            return read()
        except TryAgain as error:
            attempt += 1
            pause = backoff_seconds(attempt, base=0.1, cap=2.0, draw=random.random())
            if time.monotonic() + pause > give_up_at:
                raise
            if attempt == 1:
                typer.echo(f"waiting for the server: {error}", err=True)
            time.sleep(pause)


def with_profile(url: str, profile: str) -> str:
    """The same address for sessions in which the server's functions know the profile as well."""
    if not profile:
        return url
    given = conninfo_to_dict(url).get("options") or ""
    return make_conninfo(url, options=f"{given} -c {config.DATABASE_PREFIX}profile={profile}".strip())


def given_in_database(url: str) -> dict[str, str]:
    """What a database says of the settings that stand there alone."""
    with trickle.client.connect(url) as client, translated("settings", client.connection):
        return read_given(client.connection)


def is_named(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Whether anything says which database to work in."""
    return bool(settings.postgres_url) or any(environment.get(name) for name in LIBPQ_TARGETS)


def database_url(settings: Settings) -> str:
    """The database to work in; an empty URL leaves it to libpq, no name at all means the embedded server."""
    return settings.postgres_url if is_named(settings, os.environ) else _embedded_url()


@contextmanager
def client(context: typer.Context, postgres_url: str | None) -> Iterator[Client]:
    """A client for the database that the settings lead to."""
    with trickle.client.connect(database_url(resolve(context, {"postgres_url": postgres_url}))) as opened:
        opened.connection.add_notice_handler(_show_notice)
        yield opened


def _show_notice(notice: psycopg.errors.Diagnostic) -> None:
    """What the server says beside its answer: a warning that a query is kept by full refreshes, for example."""
    output.note(f"{(notice.severity or 'notice').lower()}: {notice.message_primary}")
    if notice.message_hint:
        output.note(f"  hint: {notice.message_hint}")


def _sources(context: typer.Context, flags: Flags) -> tuple[config.Source, config.Source, config.Source]:
    """File, environment and command line; the file is that of `--config` or TRICKLE_CONFIG."""
    path = context.find_root().params.get("config_file") or os.environ.get("TRICKLE_CONFIG")
    file = config.from_file(Path(path)) if path else {}
    return file, config.from_environment(os.environ), config.from_flags(flags)


def _embedded_url() -> str:
    server = embedded.start(embedded.default_data_dir())
    if server.started_here:
        output.note(f"started the embedded PostgreSQL {server.version}; `trickle pg stop` ends it")
    return server.url()
