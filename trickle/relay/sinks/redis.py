"""Streams of Redis and Valkey: an entry for each message, a transaction for each batch.

    MULTI  XADD stream [MAXLEN ~ n] * event_id … payload …  (×500)  EXEC  [WAIT | WAITAOF]

Redis numbers the entries (`*`): numbers of our own would make it refuse whatever commits late. Its streams do not
recognise an entry that comes again; `dedup_seconds` makes them: beside each entry a key remembers the event id for so
long, and a small script adds an entry only where there is none.

A batch is added as a whole or not at all: the server checks every command before it carries out the first, so when it
is out of memory or read-only nothing has happened, and a lost connection leaves no half of a batch. One call follows
another on one connection; hence the order.

A reply means what the server's configuration says it means. With `appendfsync everysec` a power failure costs a
second; `fsync` waits for the disk (Redis 7.2), `replicas` for so many replicas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoScriptError

from trickle.relay.brokers.redis import Command, RedisConnection, Wire, kind_of, reason
from trickle.relay.connector import NO_FAILURES, SinkConnector
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.message import Outgoing
from trickle.relay.options import option

_ADD_ONCE = """
if redis.call('EXISTS', KEYS[2]) == 1 then return false end
local entry = redis.call('XADD', KEYS[1], unpack(ARGV, 2))
redis.call('SET', KEYS[2], entry, 'EX', ARGV[1])
return entry
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSinkOptions(RedisConnection):
    """Where messages go in Redis."""

    stream: str = option("Stream of messages without one of their own.", default="", template=True)
    maxlen: int = option("About how many entries a stream keeps; 0 for all.", default=0, minimum=0)
    dedup_seconds: int = option("How long a message that comes again is recognised; 0 for not.", default=0, minimum=0)
    replicas: int = option("How many replicas must have a batch.", default=0, minimum=0)
    fsync: bool = option("Whether a batch must be on the server's disk.", default=False)


class RedisSink:
    """See `connector.Sink`."""

    keeps_order = True

    def __init__(self, options: RedisSinkOptions) -> None:
        self._options = options
        self._wire = Wire(options)
        self._script = ""

    async def open(self) -> None:
        """Connect, and leave the script with the server."""
        await self._wire.open()
        if self._options.dedup_seconds:
            answer = (await self._wire.ask([("SCRIPT", "LOAD", _ADD_ONCE)]))[0]
            if isinstance(answer, Exception):
                raise self._wire.refusal(answer)
            self._script = str(answer, "ascii")

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        """Add all that can be added."""
        commands, failures = self._commands(messages)
        while commands:
            refused, is_done = await self._add(commands)
            failures |= refused
            if is_done:
                break
            # Nothing was added because of these; the others are innocent.
            commands = {index: command for index, command in commands.items() if index not in refused}
        return failures or NO_FAILURES

    async def close(self) -> None:
        """Let go."""
        await self._wire.close()

    def _commands(self, messages: Sequence[Outgoing]) -> tuple[dict[int, Command], dict[int, Failure]]:
        commands: dict[int, Command] = {}
        failures: dict[int, Failure] = {}
        for index, message in enumerate(messages):
            stream = message.address or self._options.stream
            if stream:
                commands[index] = self._command(stream, message)
            else:
                failures[index] = Failure(FailureKind.DESTINATION, "the message has no stream, and the sink names none")
        return commands, failures

    def _command(self, stream: str, message: Outgoing) -> Command:
        limit: Command = ("MAXLEN", "~", self._options.maxlen) if self._options.maxlen else ()
        entry = (*limit, "*", *_fields(message))
        if not self._options.dedup_seconds:
            return ("XADD", stream, *entry)
        # In a cluster both keys must be in one slot, hence the braces.
        tag = stream if "{" in stream else f"{{{stream}}}"
        mark = f"trickle:{tag}:{message.event_id}"
        return ("EVALSHA", self._script, 2, stream, mark, self._options.dedup_seconds, *entry)

    async def _add(self, commands: Mapping[int, Command]) -> tuple[dict[int, Failure], bool]:
        """What was refused, and whether the others were added. Raises ConnectorError."""
        guard = self._guard(commands)
        answers = await self._wire.ask([("MULTI",), *guard, *commands.values(), ("EXEC",), *self._barrier()])
        end = 1 + len(guard) + len(commands)
        queued, executed = answers[1:end], answers[end]
        if isinstance(executed, list):
            refused = _refused(zip(commands, executed[len(guard) :], strict=True), self._wire)
            self._check_barrier(answers[end + 1 :])
            return refused, True
        refused = _refused(zip(commands, queued[len(guard) :], strict=True), self._wire)
        if not refused or any(failure.kind.passes for failure in refused.values()):
            raise self._wire.refusal(next((a for a in queued if isinstance(a, Exception)), executed))
        return refused, False

    def _guard(self, commands: Mapping[int, Command]) -> list[Command]:
        """A command that does nothing, but is refused where entries would be: nobody looks into a script before."""
        if not self._options.dedup_seconds:
            return []
        mark = next(iter(commands.values()))[4]
        return [("XADD", mark, "NOMKSTREAM", "*", "nothing", "")]

    def _barrier(self) -> list[Command]:
        options = self._options
        milliseconds = int(options.timeout_seconds * 500)  # well before the answer itself is given up
        if options.fsync:
            return [("WAITAOF", 1, options.replicas, milliseconds)]
        return [("WAIT", options.replicas, milliseconds)] if options.replicas else []

    def _check_barrier(self, answers: Sequence[Any]) -> None:
        for answer in answers:
            if isinstance(answer, Exception):
                raise self._wire.refusal(answer)
            local, replicas = answer if isinstance(answer, list) else (1, answer)
            if replicas < self._options.replicas or local < 1:
                raise ConnectorError(FailureKind.TIMEOUT, f"Redis: only {replicas} replicas have the batch in time")


def _fields(message: Outgoing) -> Iterable[str | bytes]:
    yield from ("event_id", message.event_id)
    if message.key is not None:
        yield from ("key", message.key)
    yield from ("content_type", message.content_type)
    for name, value in message.headers.items():
        yield from (f"header:{name}", value)
    yield from ("payload", message.body)


def _refused(answers: Iterable[tuple[int, Any]], wire: Wire) -> dict[int, Failure]:
    refused: dict[int, Failure] = {}
    for index, answer in answers:
        if isinstance(answer, NoScriptError):  # somebody has flushed the scripts; opening brings ours again
            raise wire.refusal(answer)
        if isinstance(answer, Exception):
            refused[index] = Failure(kind_of(answer), f"Redis: {reason(answer)}")
    return refused


CONNECTOR: SinkConnector[Any] = SinkConnector(
    name="redis",
    options=RedisSinkOptions,
    make=RedisSink,
    address="stream",
    identity="field event_id; recognised for `dedup_seconds`",
    boundary="the server has replied; with `fsync` it is on disk, with `replicas` on so many others",
    extra="redis",
)
