"""What the benchmark has to know of a kind of destination or origin.

A bare client is what somebody writes by hand who knows the one database, the one broker, and nothing else: it uses the
official client as fast as that can be had, and waits until everything is acknowledged. It knows no retries, no keys, no
dead letters, no late transactions.

`Reach` says where a running server is, in JSON, since the bare loops run in processes of their own. A *token*, such as
`f7-0`, stands for a reader with a place of its own (a consumer, a group, a queue): the seventh filling's first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Reach = dict[str, Any]
Options = dict[str, Any]
Message = tuple[str, bytes]  # event id and body
Send = Callable[[Sequence[Message]], Awaitable[None]]
Acknowledge = Callable[[], Awaitable[None]]
Take = Callable[[int], Awaitable[tuple[Sequence[Message], Acknowledge]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of destination, most of which are origins too."""

    name: str
    serve: Callable[[Path], AbstractContextManager[Reach]]
    # As a destination: the options of the relay, by the number of the pipeline, and the bare client.
    sink: Callable[[Reach, int], Options]
    sender: Callable[[Reach], Awaitable[Send]]
    # Options of a sink that the bare client with this token hears.
    heard: Callable[[Reach, str], Options] | None = None
    # As an origin: the options of the relay by its token, the bare client, who fills it if not the bare client of the
    # destination, and what is done before.
    source: Callable[[Reach, str], Options] | None = None
    taker: Callable[[Reach, str], Awaitable[Take]] | None = None
    feeder: Callable[[Reach, Sequence[str]], Awaitable[Send]] | None = None
    prepare: Callable[[Reach, Sequence[str]], Awaitable[None]] | None = None
    is_pushed: bool = False  # messages come to whoever listens and wait nowhere


async def nothing() -> None:
    """An acknowledgement that nobody waits for."""
