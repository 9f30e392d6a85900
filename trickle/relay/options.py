"""The options of connectors and pipelines: dataclass fields that say what they may be.

    @dataclass(frozen=True, slots=True)
    class NatsOptions:
        url: str = option("Servers, separated by commas.")
        password: str = option("Password.", default="", secret=True)

`read` makes one from the JSON of a pipeline's configuration, or says which key is wrong, what it may be, and which
name was meant. The documentation of the keys is made from the same fields.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from typing import Any


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


def option(help: str, *, default: Any = MISSING, **about: Any) -> Any:
    """A field of an options dataclass; without a default it must be given.

    Types: str, int, float, bool, tuple[str, ...], dict[str, str], and `| None` of them.
    """
    metadata = {"option": Option(help, **about)}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)
