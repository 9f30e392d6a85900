"""Headers of NATS, as they are on the wire. Pure.

A line for each, name and value. What is not printable ASCII would end the line or be read differently by each client.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

PLAIN = b"NATS/1.0\r\n"  # how the block begins that carries no status

_FOREIGN = re.compile(r"[^\x20-\x7e]|^ | $|%[0-9A-Fa-f]{2}")
_PLAIN = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}"


def write_header(value: str) -> str:
    """A header may hold printable ASCII only: anything else is percent-encoded, and so is what would look like it."""
    return quote(value, safe=_PLAIN) if _FOREIGN.search(value) else value


def read_header(value: str) -> str:
    """What `write_header` was given."""
    return unquote(value) if "%" in value else value


def read_block(block: bytes) -> dict[str, str]:
    """The headers of a block that begins with `PLAIN`; bytes that are no UTF-8 are replaced."""
    lines = block[len(PLAIN) :].decode("utf-8", "replace").split("\r\n")
    parts = (line.partition(":") for line in lines if line)
    return {name.strip(): value.strip() for name, _, value in parts}
