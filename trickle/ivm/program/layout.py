"""Laying out generated SQL without touching what is quoted: a newline in a literal or a name is the user's."""

from __future__ import annotations


def indented(text: str) -> str:
    """Indent every line by two spaces, except where a line begins inside quotes."""
    written: list[str] = ["  "]
    inside = ""
    for character in text:
        written.append(character)
        if inside:
            inside = "" if character == inside else inside
        elif character in "'\"":
            inside = character
        elif character == "\n":
            written.append("  ")
    return "".join(written)


def commented(text: str) -> str:
    """A comment of one line, in which no quote seems to open."""
    return "-- " + " ".join(text.replace("'", " ").replace('"', " ").split())


def dollar_tag(body: str) -> str:
    """A dollar quote that does not occur in a function's body."""
    tag = "$__pgt_program$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    return tag
