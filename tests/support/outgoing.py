"""Messages ready for a destination, made up for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from trickle.relay.message import Outgoing

PUBLISHED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def outgoing(
    number: int,
    *,
    key: str | None = None,
    body: bytes | None = None,
    address: str = "",
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Outgoing:
    """Number `number` of its outbox; without a body, `{"n": number}`."""
    return Outgoing(
        event_id=f"event-{number}",
        key=key,
        address=address,
        body=json.dumps({"n": number}).encode() if body is None else body,
        content_type=content_type,
        headers=headers or {},
        created_at=PUBLISHED,
        outbox_id=number,
    )
