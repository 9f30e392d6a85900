"""A pipeline made ready to run: its row read, its secrets filled in, its ends found, its messages' way compiled."""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from trickle.db.pool import AsyncPool
from trickle.relay import secrets
from trickle.relay.bells import Bells
from trickle.relay.connector import Sink, Source
from trickle.relay.delivery import Retry
from trickle.relay.engine import Assembled
from trickle.relay.failures import Failure, FailureKind
from trickle.relay.forward import Forward
from trickle.relay.incoming import Accept, compile_incoming
from trickle.relay.letters import DeadLetters
from trickle.relay.message import Incoming
from trickle.relay.outbox import Outbox
from trickle.relay.outgoing import Prepare, compile_outgoing
from trickle.relay.outlet import Limits
from trickle.relay.pipeline import ForwardPipeline, Pipeline, ReversePipeline, StoredPipeline, read_pipeline, where
from trickle.relay.protocol import Claim, PipelineRow
from trickle.relay.registry import Kind, find
from trickle.relay.reverse import Received, Reverse
from trickle.relay.settings import Delivery, Intake
from trickle.relay.standing import Standing
from trickle.relay.view import Unusable, is_json, parsed, written


class Assembly:
    """What all pipelines of a process share, and how one is made."""

    def __init__(self, pool: AsyncPool, bells: Bells, url: str, access: secrets.Access) -> None:
        self._pool = pool
        self._bells = bells
        self._url = url
        self._access = access

    def assemble(self, row: PipelineRow, standing: Standing) -> Assembled:
        """Raises TrickleError: what is wrong with the configuration, or which secret is missing."""
        resolved = _resolved(row, self._access)
        pipeline = resolved.options
        clean = partial(secrets.redact, secrets=resolved.secrets)
        if isinstance(pipeline, ForwardPipeline):
            return Assembled(self._forward(pipeline, row.claim, standing, clean), _seal(resolved))
        return Assembled(self._reverse(pipeline, standing, clean), _seal(resolved))

    def fingerprint(self, row: PipelineRow) -> str | None:
        """Of the secrets as they are now. Raises TrickleError when one is missing."""
        return _seal(_resolved(row, self._access))

    def _forward(
        self, pipeline: ForwardPipeline, claim: Claim | None, standing: Standing, clean: Callable[[str], str]
    ) -> Forward:
        connector = find(Kind.SINK, pipeline.sink.type)
        options = _with_url(pipeline.sink.options, self._url)
        return Forward(
            pipeline.name,
            Outbox(self._pool, pipeline.name, pipeline.group, claim),
            DeadLetters(self._pool, pipeline.name),
            lambda: connector.make(options),
            compile_outgoing(pipeline),
            limits(pipeline.delivery, clean),
            self._bells,
            pipeline.outbox,
            standing,
        )

    def _reverse(self, pipeline: ReversePipeline, standing: Standing, clean: Callable[[str], str]) -> Reverse:
        connector = find(Kind.SOURCE, pipeline.source.type)
        options = _with_url(pipeline.source.options, self._url)
        return Reverse(
            pipeline.name,
            self._pool,
            pipeline.inbox,
            DeadLetters(self._pool, pipeline.name),
            lambda: connector.make(options),
            partial(received, compile_incoming(pipeline)),
            limits(pipeline.intake, clean),
            standing,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Plain:
    """A pipeline for whoever looks at it from outside."""

    pipeline: Pipeline
    encode: Prepare
    make: Callable[[], Sink | Source]


def plain(row: PipelineRow, url: str) -> Plain:
    """With the secrets that are there where this runs, all of them.

    Raises:
        TrickleError: what is wrong with the configuration, or which secret is missing.
    """
    pipeline = _resolved(row, secrets.Access()).options
    if isinstance(pipeline, ForwardPipeline):
        sink, sink_options = find(Kind.SINK, pipeline.sink.type), _with_url(pipeline.sink.options, url)
        return Plain(pipeline, compile_outgoing(pipeline), lambda: sink.make(sink_options))
    source, source_options = find(Kind.SOURCE, pipeline.source.type), _with_url(pipeline.source.options, url)
    return Plain(pipeline, lambda message: (), lambda: source.make(source_options))


def _with_url(options: Any, url: str) -> Any:
    """A connector that may lead back to our own database is told where that is."""
    return dataclasses.replace(options, default_url=url) if hasattr(options, "default_url") else options


def limits(settings: Delivery | Intake, clean: Callable[[str], str]) -> Limits:
    """The settings of a pipeline as its runner takes them."""
    retry = Retry(settings.retry.max_attempts, settings.retry.backoff_ms / 1000, settings.retry.max_backoff_ms / 1000)
    made = Limits(
        batch_size=settings.batch_size,
        max_in_flight_bytes=settings.max_in_flight_bytes,
        retry=retry,
        failure_threshold=settings.circuit_breaker.failure_threshold,
        half_open_seconds=settings.circuit_breaker.half_open_seconds,
        buries=settings.dead_letters.enabled,
        keep_letters_days=settings.dead_letters.retention_days,
        clean=clean,
    )
    if isinstance(settings, Intake):
        return made
    rate = settings.rate_limit
    return dataclasses.replace(
        made,
        max_in_flight=max(settings.max_in_flight, settings.batch_size),
        messages_per_second=rate.max_messages_per_second,
        burst=rate.burst or max(1.0, rate.max_messages_per_second),
        ordering=settings.ordering,
    )


def received(accept: Accept, message: Incoming) -> Received | Failure | None:
    """The row that an inbox is to get. A payload that is not JSON is told as a JSON string, or in base64."""
    accepted = accept(message)
    if accepted is None or isinstance(accepted, Failure):
        return accepted
    try:
        payload = _as_json(accepted)
    except Unusable as unusable:
        return unusable.failure
    headers = accepted.headers
    trace_id = headers.get("traceparent") or headers.get("trace_id") or headers.get("trace-id")
    row = Received(accepted.event_id, accepted.event_type, accepted.source, accepted.key, payload, trace_id)
    unstorable = next((name for name, text in row._asdict().items() if text and not _is_storable(text)), None)
    if unstorable is not None:
        return Failure(FailureKind.ENCODING, f"its {unstorable} holds a zero byte or half a character")
    return row


def _is_storable(text: str) -> bool:
    """Whether the server can take it as text."""
    if "\0" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _as_json(message: Incoming) -> str:
    if is_json(message.content_type):
        parsed(message.payload)
        return message.payload.decode()
    try:
        return written(message.payload.decode()).decode()
    except UnicodeDecodeError:
        return written({"base64": base64.b64encode(message.payload).decode()}).decode()


def _seal(resolved: secrets.Resolved[Pipeline]) -> str | None:
    return resolved.fingerprint if resolved.secrets else None


def _resolved(row: PipelineRow, access: secrets.Access) -> secrets.Resolved[Pipeline]:
    box = row.outbox if row.direction == "forward" else row.inbox
    stored = StoredPipeline(row.name, row.direction, box or "", row.group, True, row.connector, row.options)
    return access.resolve(read_pipeline(stored), os.environ, where(row.name))
