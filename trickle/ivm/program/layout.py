"""Laying out generated SQL without touching what is quoted: a newline in a literal or a name is the user's."""

from __future__ import annotations

import re

_QUOTED_OR_NEWLINE = re.compile(r"""'[^']*(?:'|\Z)|"[^"]*(?:"|\Z)|\n""")


def indented(text: str) -> str:
    """Indent every line by two spaces, except where a line begins inside quotes."""
    return "  " + _QUOTED_OR_NEWLINE.sub(lambda found: "\n  " if found[0] == "\n" else found[0], text)


def commented(text: str) -> str:
    """A comment of one line, in which no quote seems to open."""
    return "-- " + " ".join(text.replace("'", " ").replace('"', " ").split())


def dollar_tag(body: str) -> str:
    """A dollar quote that does not occur in a function's body."""
    tag = "$__pgt_program$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    return tag
