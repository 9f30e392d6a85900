"""Pieces of JSON text as they are written, so that what is passed on keeps every digit: 42.50 stays 42.50.

Values are found by the scanner of the standard library, which says where each ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from trickle.relay.view import Unusable

_SPACE = re.compile(r"[ \t\n\r]*")
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_BEHIND = {end: re.compile(rf"[ \t\n\r]*(,|\{end})[ \t\n\r]*") for end in "]}"}
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def members(text: str) -> Iterator[tuple[str, str]]:
    """Name and written value of each member of an object. Raises Unusable."""
    position = _begin(text, "{", "}")
    while position:
        name, position = _name(text, position)
        start = _match(_COLON, text, position).end()
        end = _read(text, start)[1]
        yield name, text[start:end]
        position = _next(text, end, "}")


def elements(text: str) -> Iterator[tuple[str, Any]]:
    """Each element of a list, as it is written and as it is read. Raises Unusable."""
    position = _begin(text, "[", "]")
    while position:
        value, end = _read(text, position)
        yield text[position:end], value
        position = _next(text, end, "]")


def _begin(text: str, opening: str, closing: str) -> int:
    """Where the first piece begins; 0 when there is none."""
    position = _match(_SPACE, text, 0).end()
    if text[position : position + 1] != opening:
        raise _unreadable(position)
    position = _match(_SPACE, text, position + 1).end()
    return 0 if text[position : position + 1] == closing else position


def _next(text: str, end: int, closing: str) -> int:
    """Where the piece behind this one begins; 0 when there is none."""
    found = _match(_BEHIND[closing], text, end)
    return 0 if found[1] == closing else found.end()


def _name(text: str, position: int) -> tuple[str, int]:
    if text[position : position + 1] != '"':
        raise _unreadable(position)
    try:
        name, end = scanstring(text, position + 1)
    except ValueError as error:
        raise _unreadable(position) from error
    return name, end


def _read(text: str, position: int) -> tuple[Any, int]:
    try:
        value, end = _scan(text, position)
    except (ValueError, StopIteration, RecursionError) as error:
        raise _unreadable(position) from error
    return value, end


def _match(pattern: re.Pattern[str], text: str, position: int) -> re.Match[str]:
    found = pattern.match(text, position)
    if found is None:
        raise _unreadable(position)
    return found


def _unreadable(position: int) -> Unusable:
    return Unusable(f"the payload cannot be read as JSON at character {position}")
