"""Every error Trickle raises on purpose, drawn as the tree that decides what happens next.

    TrickleError                 code, message, hint
    ├── Yours                    the request is wrong: say what, where, what to do; never retried
    │   ├── ConfigurationError       settings, URLs, missing rights of the connecting role
    │   ├── DefinitionError          a defining query or option that cannot become a stream table
    │   ├── NotFound                 no such stream table, tenant, pipeline
    │   └── Refused                  the server or its state forbids it (standby, newer catalog, pooler)
    ├── Changed                  the world moved under a compiled program: recompile or refresh in full
    ├── TryAgain                 locks, lost connections, serialization: retry with jitter
    └── Ours                     a broken invariant of Trickle itself: stop the table, alert

Signals between the compiler and its caller are not failures and live beside the tree:
`Unsupported` (no delta rule: refresh in full and say why) and `MissingFacts` (ask the server, call again).
"""

from __future__ import annotations

from collections.abc import Iterable


class TrickleError(Exception):
    """Base of all deliberate errors: a stable code, one sentence, and what to do about it."""

    code = "T000"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message


class Yours(TrickleError):
    """The request itself is wrong; repeating it will not help."""

    code = "T100"


class ConfigurationError(Yours):
    """A setting, URL or role does not allow what was asked."""

    code = "T101"


class DefinitionError(Yours):
    """A defining query or option cannot become a stream table."""

    code = "T102"


class NotFound(Yours):
    """The named object does not exist."""

    code = "T103"


class Refused(Yours):
    """The server, or the state it is in, forbids the operation."""

    code = "T104"


class Changed(TrickleError):
    """What a program was compiled against has changed."""

    code = "T200"


class TryAgain(TrickleError):
    """A passing condition: the same call may succeed later."""

    code = "T300"


class Ours(TrickleError):
    """An invariant of Trickle does not hold; the table is stopped rather than left wrong."""

    code = "T400"


class Unsupported(Exception):
    """No delta rule covers this query; `reason` names the clause in words a user can act on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MissingFacts(Exception):
    """The compiler needs to have these described by the server before it can go on.

    `expressions` are queries of one column whose type is asked for; of `queries` all columns are.
    """

    def __init__(self, expressions: Iterable[str] = (), queries: Iterable[str] = ()) -> None:
        self.expressions = tuple(expressions)
        self.queries = tuple(queries)
        super().__init__(", ".join((*self.expressions, *self.queries)))
