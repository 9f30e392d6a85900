"""The session's server, or the reason why there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from trickle import embedded
from trickle.errors import ConfigurationError

SETTINGS: dict[str, embedded.Setting] = {
    "fsync": False,
    "full_page_writes": False,
    "shared_buffers": "32MB",
    "max_connections": 60,
    "max_prepared_transactions": 20,
    "max_wal_size": "256MB",
    "track_commit_timestamp": True,
    "wal_level": "replica",
    "autovacuum": True,
    "timezone": "UTC",
}

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 6 * 2**30


def pytest_report_header() -> str:
    """Which server the tests run against, or loudly none."""
    try:
        directory = embedded.bindir()
        return f"PostgreSQL {embedded.server_version(directory)} from {directory}"
    except ConfigurationError as error:
        return f"PostgreSQL: NONE, so every test that needs a server is skipped ({error})"


def require_server() -> None:
    """Skip where a newcomer has no server; fail where one was promised."""
    try:
        embedded.server_version(embedded.bindir())
    except ConfigurationError as error:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(f"CI is set, so a missing server is a failure: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def server() -> Iterator[embedded.Server]:
    """One server per pytest process; it ends with the process, killed or not."""
    require_server()
    with embedded.temporary(settings=SETTINGS, directory=_in_memory()) as started:
        yield started


def _in_memory() -> Path | None:
    """Where files are memory, if that is large enough: thousands of databases are made, each of a thousand files."""
    try:
        free = shutil.disk_usage(_MEMORY).free
    except OSError:
        return None
    return _MEMORY if free >= _ENOUGH_BYTES and os.access(_MEMORY, os.W_OK) else None
