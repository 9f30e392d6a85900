"""Payloads are JSON in the database, and a dataclass or plain JSON in Python."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class PayloadError(Exception):
    """A payload, or a result, is not what it should be; trying again would not help."""


def encoded(value: object) -> str:
    """JSON text that the database takes.

    Raises:
        PayloadError: JSON, or PostgreSQL's jsonb, cannot hold it.
    """
    if value is None:
        return "null"
    plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    try:
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"not JSON: {error}") from error
    if _NUL.search(text):
        raise PayloadError("text with a NUL character, which jsonb cannot hold")
    return text


def decoded(data: object, kind: type[Any] | None) -> Any:
    """The payload as a handler wants it: as it is, or an instance of a dataclass.

    Raises:
        PayloadError: a field is missing, or unknown, or the payload is no JSON object.
    """
    if kind is None:
        return data
    if not isinstance(data, dict):
        raise PayloadError(f"{kind.__name__} wants a JSON object, not {type(data).__name__}")
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    unknown = sorted(data.keys() - fields.keys())
    missing = sorted(
        name
        for name, field in fields.items()
        if name not in data and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    )
    if unknown or missing:
        wrong = [f"missing: {', '.join(missing)}"] if missing else []
        wrong += [f"unknown: {', '.join(unknown)}"] if unknown else []
        raise PayloadError(f"{kind.__name__} does not fit the payload ({'; '.join(wrong)})")
    try:
        return kind(**data)
    except (TypeError, ValueError) as error:
        raise PayloadError(f"{kind.__name__} refuses the payload: {error}") from error
