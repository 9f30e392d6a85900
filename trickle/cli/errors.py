"""`trickle errors`: the codes that errors carry, and what each family asks of the reader."""

from __future__ import annotations

import inspect

from trickle import errors as tree
from trickle.cli import failures, output
from trickle.cli.options import AsJson


def errors(as_json: AsJson = False) -> None:
    """Explain the error codes and the exit codes that go with them."""
    rows = [
        {
            "code": kind.code,
            "name": kind.__name__,
            "exit": failures.exit_code(kind("")),
            "meaning": inspect.getdoc(kind),
        }
        for kind in known()
    ]
    if as_json:
        output.print_json(rows)
    else:
        output.print_rows(rows, ("code", "name", "exit", "meaning"))


def known() -> list[type[tree.TrickleError]]:
    """Every error class, by code."""
    found = [kind for kind in vars(tree).values() if inspect.isclass(kind) and issubclass(kind, tree.TrickleError)]
    return sorted(found, key=lambda kind: kind.code)
