"""The options of connectors and pipelines: dataclass fields that say what they may be.

    @dataclass(frozen=True, slots=True)
    class NatsOptions:
        url: str = option("Servers, separated by commas.")
        password: str = option("Password.", default="", secret=True)

`reading.read` makes one from the JSON of a pipeline's configuration, or says which key is wrong, what it may be, and
which name was meant; `writing.to_json` is the way back. The documentation of the keys is made from the same fields.
A field without `option` belongs to the connector alone: no configuration can set it.

An options class may check in `__post_init__` what concerns several fields together, and raise ConfigurationError.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Hashable
from dataclasses import MISSING, dataclass, field
from functools import cache
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Option:
    """What a field says about itself, beside its type and default."""

    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False  # only as a reference, `${env:NAME}` or `${file:/path}`; never shown
    template: bool = False  # may hold {placeholders} that are filled in for each message
    expression: bool = False  # JMESPath
    pattern: bool = False  # a regular expression


def option(help: str, *, default: Any = MISSING, **about: Any) -> Any:
    """A field of an options dataclass; without a default it must be given.

    Types: str, int, float, bool, tuple[str, ...], dict[str, str], other options dataclasses, tuples of those,
    dict[str, Any] for what somebody else reads, and `| None` of them.
    """
    said = Option(help, **about)
    metadata = {"option": said}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata, repr=not said.secret)
    return field(default=default, metadata=metadata, repr=not said.secret)


@dataclass(frozen=True, slots=True)
class Field:
    """One option of a class, as its fields are declared."""

    name: str
    kinds: tuple[Any, ...]  # the types it may have, without None
    is_optional: bool  # None is a value
    default: Any  # MISSING when it must be given
    about: Option

    @property
    def is_required(self) -> bool:
        return self.default is MISSING


def fields(options: type[Any]) -> tuple[Field, ...]:
    """The options of a class, in order."""
    return _fields(cast(Hashable, options))


@cache
def _fields(options: Hashable) -> tuple[Field, ...]:
    made = cast(type[Any], options)
    hints = typing.get_type_hints(made)
    return tuple(_field(f, hints[f.name]) for f in dataclasses.fields(made) if "option" in f.metadata)


def _field(declared: dataclasses.Field[Any], hint: Any) -> Field:
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = typing.get_args(hint) if is_union else (hint,)
    default = declared.default if declared.default_factory is MISSING else declared.default_factory()
    named = tuple(kind for kind in kinds if kind is not types.NoneType)
    return Field(declared.name, named, len(named) < len(kinds), default, declared.metadata["option"])
