"""What tests of the launcher itself share: they start servers of their own, small and unsynced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.server import require_server

from trickle import embedded

SMALL: dict[str, embedded.Setting] = {
    "fsync": False,
    "shared_buffers": "8MB",
    "max_connections": 10,
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A directory for one server, which is stopped afterwards whoever started it."""
    require_server()
    directory = tmp_path / "data"
    yield directory
    embedded.stop(directory, "immediate")


@pytest.fixture
def small() -> dict[str, embedded.Setting]:
    return SMALL
