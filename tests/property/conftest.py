"""A client on a fresh database, and a trial to play on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

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


@pytest.fixture
def made(client: trickle.Client) -> Iterator[Trial]:
    """An empty schema for one scenario."""
    with trial(client, (), os.environ.get("TRIAL_MODE", "DIFFERENTIAL")) as opened:
        yield opened
