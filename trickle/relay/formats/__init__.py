"""What is in the body of a message that goes out: one file for each format, with its options and how it is written.

    raw          the payload as it was published, byte by byte
    native       an envelope of Trickle's own around it
    cloudevents  CloudEvents 1.0, structured or binary
    debezium     one change event for each row

A format is compiled once for each pipeline and then called for each message. It gives one event or several, or none
when nothing has changed; the ids of several are the message's with a number behind it, the same whenever it is encoded.
JSON that the server has checked is never parsed for an envelope: the bytes are put in as they are.

On the way in the same formats are opened: what was enveloped there is stored here as it was published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trickle.relay.formats import cloudevents, debezium, native, raw
from trickle.relay.formats.format import Format

FORMATS: Mapping[str, Format[Any]] = {
    made.name: made for made in (native.FORMAT, cloudevents.FORMAT, debezium.FORMAT, raw.FORMAT)
}
