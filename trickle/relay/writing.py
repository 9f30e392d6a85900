"""Options back into the JSON they were read from, in the order in which they are documented.

References to secrets are written as references; what is filled in is never written, because resolved options never
come here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from trickle.relay.options import Option, fields
from trickle.relay.problems import Path


def to_json(options: Any, *, with_defaults: bool = False) -> dict[str, Any]:
    """What `reading.read` makes the same options of; without what is as it would be anyway."""
    made: dict[str, Any] = {}
    for field in fields(type(options)):
        value = getattr(options, field.name)
        if with_defaults or field.is_required or value != field.default:
            made[field.name] = _json(value, with_defaults)
    return made


def leaves(options: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Option]]:
    """Every single value, with the keys that lead to it and what is said about it. Lists are single values."""
    for field in fields(type(options)):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, (*path, field.name))
        else:
            yield (*path, field.name), _json(value, with_defaults=False), field.about


def _json(value: Any, with_defaults: bool) -> Any:
    if dataclasses.is_dataclass(value):
        return to_json(value, with_defaults=with_defaults)
    if isinstance(value, list | tuple):
        return [_json(item, with_defaults) for item in value]
    if isinstance(value, Mapping):
        return {key: _json(item, with_defaults) for key, item in value.items()}
    return value
