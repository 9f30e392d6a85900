"""The version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def trickle_version() -> str:
    """As pip knows it; a bare checkout has none."""
    try:
        return version("trickle-pg")
    except PackageNotFoundError:
        return "not installed"
