"""A client on a fresh database, and a trial to play on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from support.databases import Database

import trickle
from property.trial import Trial, trial

Play = Callable[..., Trial]


@pytest.fixture
def client(db: Database) -> Iterator[trickle.Client]:
    with trickle.connect(db.url) as opened:
        # A refresh that waits for ever should be a failure with a message.
        opened.connection.execute("SET statement_timeout = '20s'")
        yield opened


@pytest.fixture(params=["DIFFERENTIAL", pytest.param("IMMEDIATE", marks=pytest.mark.full)])
def made(client: trickle.Client, request: pytest.FixtureRequest) -> Iterator[Trial]:
    """An empty schema for one scenario; each trap is one for IMMEDIATE stream tables as well."""
    with trial(client, (), request.param) as opened:
        yield opened


@pytest.fixture
def played(client: trickle.Client) -> Iterator[Play]:
    """Makes an empty schema for one scenario, with stream tables of the mode asked for."""
    with ExitStack() as stack:
        yield lambda mode: stack.enter_context(trial(client, (), mode))


@pytest.fixture
def superuser(db: Database) -> Iterator[psycopg.Connection[Any]]:
    with db.superuser() as opened:
        yield opened
