"""The way out of one pipeline: its sink while it is connected, what is on its way through it, and when to try again.

closed ──reconnect, when the circuit lets──▶ open ──send, several at once──▶ answers
  ▲                                            │
  └────────── any send lost its connection ────┘
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trickle.errors import TrickleError
from trickle.logs import event
from trickle.relay.circuit import Circuit, State
from trickle.relay.connector import NO_FAILURES, Sink
from trickle.relay.delivery import Delivery, Retry
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.items import Item
from trickle.relay.message import Outgoing
from trickle.relay.rate import Bucket
from trickle.relay.standing import Standing
from trickle.relay.standing import State as Word

log = logging.getLogger(__name__)

SENDS_AT_ONCE = 4
OPEN_SECONDS = 30.0
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, how fast, and how often again."""

    batch_size: int = 500
    max_in_flight: int = 2000  # messages that are read and not done
    max_in_flight_bytes: int = 16 << 20
    messages_per_second: float = 0.0  # 0: as fast as it goes
    burst: float = 100.0
    retry: Retry = field(default_factory=Retry)
    failure_threshold: int = 5
    half_open_seconds: float = 30.0
    buries: bool = True  # else a message that is refused for good holds the pipeline
    keep_letters_days: int = 30  # 0: for ever
    ordering: str = "key"  # or "all", "none"
    clean: Callable[[str], str] = str  # takes secrets out of what is told


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one batch."""

    items: Sequence[Item]
    failures: Mapping[int, Failure]
    error: Exception | None = None  # the connection is lost: nobody knows what was accepted


class Outlet:
    """The sink of one pipeline, opened and closed; moments are monotonic seconds."""

    def __init__(
        self, name: str, make_sink: Callable[[], Sink], limits: Limits, wake: asyncio.Event, standing: Standing
    ) -> None:
        self._name = name
        self._make_sink = make_sink
        self._limits = limits
        self._wake = wake
        self._standing = standing
        self._sink: Sink | None = None
        self._circuit = Circuit(limits.failure_threshold, limits.half_open_seconds, limits.retry.backoff_seconds)
        self._bucket = Bucket(limits.messages_per_second, max(1.0, limits.burst))
        self._opening: asyncio.Task[Sink] | None = None
        self._must_accept = False  # it failed while it was open: only what it accepts says that it has recovered
        self._sends: set[asyncio.Task[None]] = set()
        self._answers: list[Answer] = []

    @property
    def is_open(self) -> bool:
        return self._sink is not None

    @property
    def keeps_order(self) -> bool:
        return self._sink is not None and self._sink.keeps_order

    @property
    def is_busy(self) -> bool:
        return bool(self._sends or self._answers)

    def next_moment(self, now: float, has_more: bool) -> float | None:
        """When to try again without anything having happened."""
        if self._opening is not None:
            return None
        if self._sink is None or not self._circuit.may_try(now):
            return self._circuit.retry_at
        return self._bucket.next_at(now) if has_more and len(self._sends) < self._width(now) else None

    def reconnect(self, now: float) -> None:
        """Begin to connect, when it is closed and may be tried."""
        if self._sink is None and self._opening is None and self._circuit.may_try(now):
            self._opening = asyncio.create_task(_open(self._make_sink))
            self._opening.add_done_callback(lambda _: self._wake.set())

    def has_connected(self, now: float) -> bool:
        """Whether it is open that was not."""
        opening = self._opening
        if opening is None or not opening.done():
            return False
        self._opening = None
        error = opening.exception()
        if error is not None:
            self._refused(error, now)
            return False
        self._sink = opening.result()
        if not self._must_accept:
            self._recovered()
        return True

    def send(self, delivery: Delivery, now: float) -> None:
        """Start as many batches as may be on their way; while the circuit is not closed, one message."""
        sink = self._sink
        if sink is None or not self._circuit.may_try(now):
            return
        is_probe = self._circuit.state(now) is not State.CLOSED
        while len(self._sends) < self._width(now):
            limit = self._bucket.available(now, 1 if is_probe else self._limits.batch_size)
            items = delivery.take(limit, now, is_probe) if limit else []
            if not items:
                return
            self._bucket.spend(len(items))
            task = asyncio.create_task(self._deliver(sink, items))
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)

    async def deliver_now(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        """Send these apart from the rest. Raises ConnectorError."""
        assert self._sink is not None
        return await self._sink.send(messages)

    def take_answers(self) -> list[Answer]:
        answers, self._answers = self._answers, []
        return answers

    def note(self, answer: Answer, now: float) -> None:
        """What an answer says about the destination."""
        of_destination = [failure for failure in answer.failures.values() if failure.kind.is_of_destination]
        for failure in answer.failures.values():
            self._standing.failures[failure.kind.value] += 1
        if len(of_destination) < len(answer.items):
            self._recovered()
            return
        self._must_accept = True
        worst = max(of_destination, key=lambda failure: failure.retry_after or 0.0)
        self._held(worst, now)

    def lost(self, error: BaseException, now: float) -> None:
        """Its connection is lost."""
        self._must_accept = True
        self._refused(error, now)

    async def close(self) -> None:
        """Let go of the sink; what is on its way has no answer."""
        under_way: set[asyncio.Task[Any]] = {*self._sends, *([self._opening] if self._opening is not None else [])}
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way, timeout=_CLOSE_SECONDS)
        self._sends.clear()
        opening, self._opening = self._opening, None
        sink, self._sink = self._sink, None
        if opening is not None and opening.done() and not opening.cancelled() and opening.exception() is None:
            sink = opening.result()
        if sink is not None:
            await _close(sink)

    async def _deliver(self, sink: Sink, items: Sequence[Item]) -> None:
        messages = [item.outgoing for item in items if item.outgoing is not None]
        try:
            answer = Answer(items, self._clean(await sink.send(messages)))
        except Exception as error:
            answer = Answer(items, NO_FAILURES, error)
        # One that comes after all hope for it was given up is nobody's any more: its messages go again.
        if self._sink is sink:
            self._answers.append(answer)
        self._wake.set()

    def _clean(self, failures: Mapping[int, Failure]) -> Mapping[int, Failure]:
        return {i: replace(failure, reason=self._limits.clean(failure.reason)) for i, failure in failures.items()}

    def _refused(self, error: BaseException, now: float) -> None:
        if isinstance(error, ConnectorError):
            failure = error.failure
        elif isinstance(error, TrickleError):
            failure = Failure(FailureKind.DESTINATION, str(error))
        else:
            log.error("a sink crashed", exc_info=error, extra={"fields": {"pipeline": self._name}})
            failure = Failure(FailureKind.UNAVAILABLE, f"{type(error).__name__}: {error}")
        self._standing.failures[failure.kind.value] += 1
        self._held(failure, now)

    def _width(self, now: float) -> int:
        """How many batches may be on their way."""
        return SENDS_AT_ONCE if self._circuit.state(now) is State.CLOSED else 1

    def _recovered(self) -> None:
        self._must_accept = False
        self._circuit.succeeded()
        self._standing.turn(Word.RUNNING)
        self._standing.circuit = State.CLOSED.value

    def _held(self, failure: Failure, now: float) -> None:
        reason = self._limits.clean(failure.reason)
        self._circuit.failed(now, random.random(), failure.retry_after)
        state = self._circuit.state(now)
        self._standing.circuit = state.value
        if self._standing.turn(Word.HELD, f"{failure.kind.value}: {reason}"):
            event(
                log,
                logging.WARNING,
                "a pipeline is held by its destination",
                pipeline=self._name,
                kind=failure.kind.value,
                reason=reason,
                retry_seconds=round(self._circuit.retry_at - now, 2),
                circuit=state.value,
            )


async def _open(make_sink: Callable[[], Sink]) -> Sink:
    """A sink that is connected; one that could not be connected is closed."""
    sink = make_sink()
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            await sink.open()
    except TimeoutError as error:
        await _close(sink)
        raise ConnectorError(FailureKind.TIMEOUT, f"no answer within {OPEN_SECONDS:g} s") from error
    except BaseException:
        await _close(sink)
        raise
    return sink


async def _close(sink: Sink) -> None:
    """A sink that cannot even be closed is left to its fate."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await sink.close()
