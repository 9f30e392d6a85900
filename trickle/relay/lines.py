"""Messages as lines of text, for files, terminals and objects: one message, one line. Pure.

json       a body that is JSON as it is, without line breaks; any other as an envelope
envelope   {"event_id", "key", "address", "created_at", "headers", "content_type", "payload" or "payload_base64"}
raw        the body, whatever it is, if it is a single line

The other way, a line is a message; its id is in a field of it, or a hash of the line and of its place: then the same
line twice is two messages, and reading a file again gives the same ids.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import NamedTuple

from trickle.relay.failures import Failure, FailureKind
from trickle.relay.formats.format import JSON
from trickle.relay.headers import UNKNOWN_CONTENT
from trickle.relay.message import Incoming, Outgoing
from trickle.relay.view import Unusable, is_json, parsed

LAYOUTS = ("json", "envelope", "raw")
# JSON has line breaks between its tokens only, where a blank says the same.
_BREAKS = bytes.maketrans(b"\r\n", b"  ")


def line(message: Outgoing, layout: str) -> bytes | Failure:
    """The message with a line break behind it, or why it cannot be one line."""
    body_is_json = is_json(message.content_type)
    if layout == "raw":
        if b"\n" in message.body or b"\r" in message.body:
            return Failure(FailureKind.ENCODING, "the body has a line break in it, and would be two raw lines")
        return message.body + b"\n"
    if layout == "json" and body_is_json:
        return message.body.translate(_BREAKS) + b"\n"
    about = {
        "event_id": message.event_id,
        "key": message.key,
        "address": message.address,
        "created_at": message.created_at.isoformat(),
        "headers": dict(message.headers),
        "content_type": message.content_type,
    }
    if body_is_json:
        # The body is put in as it is: nothing is parsed, no number changes its looks.
        head = json.dumps(about, ensure_ascii=False).encode("utf-8", "replace")
        return head[:-1] + b', "payload": ' + message.body.translate(_BREAKS) + b"}\n"
    payload = {"payload_base64": base64.b64encode(message.body).decode()}
    return json.dumps({**about, **payload}, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class Piece(NamedTuple):
    """A line without its break, and where it stands."""

    text: bytes
    number: int  # from 1
    begins: int  # bytes from the beginning of all
    ends: int  # the same, behind its break


class Splitter:
    """Puts lines together from what is read piece by piece; empty ones are none."""

    def __init__(self, begins: int = 0) -> None:
        self._rest = b""
        self._begins = begins
        self._number = 0

    @property
    def position(self) -> int:
        """Up to where all has been read."""
        return self._begins + len(self._rest)

    @property
    def rest_bytes(self) -> int:
        """Length of the line that is not complete yet."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Piece]:
        """The lines that are complete now."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [piece for text in whole if (piece := self._piece(text, 1)).text]

    def end(self) -> list[Piece]:
        """The last line, where there is one without a break."""
        text, self._rest = self._rest, b""
        piece = self._piece(text, 0)
        return [piece] if piece.text else []

    def _piece(self, text: bytes, breaks: int) -> Piece:
        begins = self._begins
        self._begins += len(text) + breaks
        self._number += 1
        return Piece(text.removesuffix(b"\r"), self._number, begins, self._begins)


def incoming(text: bytes, place: int, source: str, id_field: str, token: object) -> Incoming:
    """The message of a line without its line break; `place` is its number or where it begins."""
    try:
        value, content_type = parsed(text), JSON
    except Unusable:
        value, content_type = None, UNKNOWN_CONTENT
    found = value.get(id_field) if id_field and isinstance(value, dict) else None
    is_id = isinstance(found, str | int) and not isinstance(found, bool) and found != ""
    return Incoming(
        event_id=str(found) if is_id else "sha256:" + hashlib.sha256(f"{place}:".encode() + text).hexdigest(),
        event_type=None,
        source=source,
        key=None,
        payload=text,
        content_type=content_type,
        headers={},
        token=token,
    )
