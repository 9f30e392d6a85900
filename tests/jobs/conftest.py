"""What the tests of runners share: a session of the owner, and handlers of one test alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.databases import Database
from support.runners import Conn

from trickle.jobs.registry import Registry


@pytest.fixture
def conn(db: Database) -> Iterator[Conn]:
    with db.connect() as connection:
        yield connection


@pytest.fixture
def registry() -> Registry:
    return Registry()
