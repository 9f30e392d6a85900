"""`trickle` offers exactly what it names."""

from __future__ import annotations

import pytest

import trickle


def test_every_public_name_is_there() -> None:
    assert trickle.__all__ == sorted(trickle.__all__)
    assert all(getattr(trickle, name) is not None for name in trickle.__all__)
    assert set(trickle.__all__) <= set(dir(trickle))


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'creat'"):
        trickle.creat  # noqa: B018
