"""The checkout the tests stand in, for the tests that read it."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "trickle"


def sources(*folders: str) -> list[Path]:
    """All Python files of the project below these folders, or everywhere."""
    return sorted(path for folder in folders or SOURCE_FOLDERS for path in (ROOT / folder).rglob("*.py"))


SOURCE_FOLDERS = ("trickle", "alembic", "benchmarks", "tests")


def packages() -> list[str]:
    """The dotted names of trickle's packages, as the checkout has them."""
    found = PACKAGE.rglob("__init__.py")
    return sorted(".".join(path.parent.relative_to(ROOT).parts) for path in found)


def setup_cfg() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lines(text: str) -> list[str]:
    """The entries of a multi-line value."""
    return [line.strip() for line in text.splitlines() if line.strip()]
