"""What is wrong with a configuration: all of it at once, each with its place, in the order in which it stands there."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from trickle.errors import ConfigurationError

Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """One mistake: the keys that lead to it, and what is wrong there and what to do, without any secret."""

    path: Path
    text: str


class Misconfigured(ConfigurationError):
    """A configuration that cannot be used; `problems` has the mistakes one by one."""

    def __init__(self, where: str, problems: Sequence[Problem], *, hint: str | None = None) -> None:
        super().__init__("; ".join(f"{place(where, problem.path)}: {problem.text}" for problem in problems), hint=hint)
        self.where = where
        self.problems = tuple(problems)


def place(where: str, path: Path) -> str:
    """`pipeline 'orders': routing.rules[0].subject`."""
    keys = dotted(path)
    return f"{where}: {keys}" if where and keys else where or keys


def dotted(path: Path) -> str:
    """`routing.rules[0].subject`; lists are counted from 0."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def unknown(name: str, known: Iterable[str], kind: str = "key") -> str:
    """Says that there is no such thing, and which was meant."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"no such {kind}, did you mean {near[0]!r}?"
    return f"no such {kind}, there are {', '.join(names)}" if names else f"no such {kind}, there are none"


def shown(value: Any, longest: int = 60) -> str:
    """A value as JSON writes it, cut to so many characters."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):
        return "what is given"
    return text if len(text) <= longest else text[: longest - 1] + "…"
