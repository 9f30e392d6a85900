"""Pieces of JSON text as they are written, so that what is passed on keeps every digit: 42.50 stays 42.50.

Values are found by the scanner of the standard library, which says where each ends; only names are looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]

from trickle.relay.view import Unusable

_SPACE = re.compile(r"[ \t\n\r]*")
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def members(text: str, start: int = 0) -> Iterator[tuple[str, str]]:
    """Name and written value of each member of the object that begins there. Raises Unusable."""
    position = _after(text, _expect(text, start, "{"))
    if text[position : position + 1] == "}":
        return
    while True:
        name, position = _name(text, position)
        position = _after(text, _expect(text, position, ":"))
        end = _end(text, position)
        yield name, text[position:end]
        position = _after(text, end)
        if text[position : position + 1] == "}":
            return
        position = _after(text, _expect(text, position, ","))


def elements(text: str, start: int = 0) -> Iterator[str]:
    """Each written element of the list that begins there. Raises Unusable."""
    position = _after(text, _expect(text, start, "["))
    if text[position : position + 1] == "]":
        return
    while True:
        end = _end(text, position)
        yield text[position:end]
        position = _after(text, end)
        if text[position : position + 1] == "]":
            return
        position = _after(text, _expect(text, position, ","))


def _after(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _expect(text: str, position: int, character: str) -> int:
    position = _after(text, position)
    if text[position : position + 1] != character:
        raise Unusable(f"the payload cannot be read as JSON: no {character} at character {position}")
    return position + 1


def _name(text: str, position: int) -> tuple[str, int]:
    position = _expect(text, position, '"')
    try:
        name, end = scanstring(text, position)
    except ValueError as error:
        raise _unreadable(position) from error
    return name, end


def _end(text: str, position: int) -> int:
    try:
        end: int = _scan(text, position)[1]
    except (ValueError, StopIteration, RecursionError) as error:
        raise _unreadable(position) from error
    return end


def _unreadable(position: int) -> Unusable:
    return Unusable(f"the payload cannot be read as JSON at character {position}")
