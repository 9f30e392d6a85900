"""Lines out of and into files, standard output and standard input, with real files, pipes and full disks.

They would catch: a torn line that is taken for a message, a message that is two lines, an offset that passes what is
not in the inbox, a reader that is waited for for ever.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import fcntl
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.outgoing import PUBLISHED, outgoing

from trickle.errors import ConfigurationError
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.lines import LAYOUTS, Splitter, incoming, line
from trickle.relay.message import Incoming, Outgoing
from trickle.relay.sinks.file import FileOptions, FileSink
from trickle.relay.sinks.stdout import StdoutOptions, StdoutSink
from trickle.relay.sources import file as file_source
from trickle.relay.sources.file import FileSource
from trickle.relay.sources.stdin import StdinOptions, StdinSource
from trickle.relay.threads import in_thread


def append(path: Path, messages: Sequence[Outgoing], **options: Any) -> Mapping[int, Failure]:
    async def run() -> Mapping[int, Failure]:
        sink = FileSink(FileOptions(path=str(path), **options))
        await sink.open()
        try:
            return await sink.send(messages)
        finally:
            await sink.close()

    return asyncio.run(run())


def refused(path: Path) -> FailureKind:
    with pytest.raises(ConnectorError) as caught:
        append(path, [outgoing(1)])
    return caught.value.failure.kind


# How a message looks as a line.


def test_layouts() -> None:
    pretty = outgoing(1, body=b'{\r\n "n":1.0\n}', key="k", address="a", headers={"x": "ä"})
    assert line(pretty, "json") == b'{   "n":1.0 }\n'
    whole = line(pretty, "envelope")
    assert isinstance(whole, bytes) and whole.endswith(b'"payload": {   "n":1.0 }}\n')
    assert json.loads(whole) == {
        "event_id": "event-1",
        "key": "k",
        "address": "a",
        "created_at": PUBLISHED.isoformat(),
        "headers": {"x": "ä"},
        "content_type": "application/json",
        "payload": {"n": 1.0},
    }
    binary = outgoing(2, body=b"\xff\n", content_type="x/y")
    for layout in ("json", "envelope"):
        packed = line(binary, layout)
        assert isinstance(packed, bytes)
        assert base64.b64decode(json.loads(packed)["payload_base64"]) == b"\xff\n"
    assert line(outgoing(3, body=b"\xff", content_type="x/y"), "raw") == b"\xff\n"
    failure = line(binary, "raw")
    assert isinstance(failure, Failure) and failure.kind is FailureKind.ENCODING


@given(st.binary(), st.sampled_from(["application/json", "text/plain"]), st.sampled_from(LAYOUTS))
def test_a_message_is_one_line(body: bytes, content_type: str, layout: str) -> None:
    text = line(outgoing(1, body=body, content_type=content_type), layout)
    if isinstance(text, bytes):
        assert text.count(b"\n") == 1 and text.endswith(b"\n")


@given(st.lists(st.binary(max_size=5)))
def test_lines_are_put_together_from_any_pieces(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    splitter = Splitter()
    found = [piece for data in pieces for piece in splitter.feed(data)] + splitter.end()
    assert [piece.text for piece in found] == [text for raw in whole.split(b"\n") if (text := raw.removesuffix(b"\r"))]
    for piece in found:
        assert whole[piece.begins : piece.ends].rstrip(b"\n").removesuffix(b"\r") == piece.text
        assert whole[: piece.begins].count(b"\n") == piece.number - 1


def test_the_id_of_a_line() -> None:
    def named(text: bytes, place: int = 1, field: str = "id") -> str:
        return incoming(text, place, "s", field, None).event_id

    assert named(b'{"id": "a"}') == "a" and named(b'{"id": 5}') == "5"
    hashed = {named(text) for text in (b'{"id": null}', b'{"id": ""}', b'{"id": true}', b"{}", b"[]", b"x", b"\xff")}
    assert len(hashed) == 7 and all(one.startswith("sha256:") for one in hashed)
    assert named(b"x") == named(b"x") != named(b"x", 2)
    for text in (b"{", b"[NaN]", '"a"'.encode("utf-16-le"), b"\xff"):
        assert incoming(text, 1, "s", "", None).content_type == "application/octet-stream"
    assert incoming(b"{}", 1, "s", "", None).content_type == "application/json"


# The file that is written.


def test_messages_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert append(path, [outgoing(1), outgoing(2, body=b"a", content_type="x/y"), outgoing(3)], layout="raw") == {}
    assert append(path, [outgoing(4)], fsync=False) == {}
    assert path.read_bytes() == b'{"n": 1}\na\n{"n": 3}\n{"n": 4}\n'


@pytest.mark.parametrize("torn", [b"torn", b"x" * 200_000])
@pytest.mark.parametrize("before", [b"", b'{"n": 0}\n'])
def test_a_torn_line_is_cut_off(tmp_path: Path, before: bytes, torn: bytes) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(before + torn)
    append(path, [outgoing(1)])
    assert path.read_bytes() == before + b'{"n": 1}\n'


def test_what_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with path.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(b"in the middle")
        other.flush()
        assert refused(path) is FailureKind.UNAVAILABLE
    assert path.read_bytes() == b"in the middle"


def test_where_no_file_can_be_is_said(tmp_path: Path) -> None:
    assert refused(tmp_path) is FailureKind.DESTINATION
    assert refused(tmp_path / "none" / "out") is FailureKind.DESTINATION
    with pytest.raises(ConfigurationError):
        FileSink(FileOptions(path=""))

    async def closed() -> None:
        sink = FileSink(FileOptions(path=str(tmp_path / "out")))
        await sink.close()
        with pytest.raises(ConnectorError):
            await sink.send([outgoing(1)])

    asyncio.run(closed())


_FULL = """
import asyncio, resource, signal, sys
from trickle.relay.failures import ConnectorError
from trickle.relay.sinks.file import FileOptions, FileSink
from support.outgoing import outgoing

async def run():
    sink = FileSink(FileOptions(path=sys.argv[1]))
    await sink.open()
    await sink.send([outgoing(1)])
    try:
        await sink.send([outgoing(2), outgoing(3, body=b"1" * 5000), outgoing(4)])
    except ConnectorError as error:
        print(error.failure.kind, error)
    await sink.send([outgoing(5)])

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
asyncio.run(run())
"""


def test_a_batch_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    command = [sys.executable, "-c", _FULL, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"unavailable {path}: {os.strerror(errno.EFBIG)}\n"
    assert path.read_bytes() == b'{"n": 1}\n{"n": 5}\n'


# Standard output.


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError as error:
            assert error.errno == errno.EBADF  # the test has closed it


def test_standard_output(pipe: tuple[int, int]) -> None:
    out, into = pipe

    async def run() -> None:
        sink = StdoutSink(StdoutOptions(layout="raw"), into)
        await sink.open()
        failures = await sink.send([outgoing(1), outgoing(2, body=b"a\nb"), outgoing(3)])
        await sink.close()
        assert list(failures) == [1]

    asyncio.run(run())
    assert os.read(out, 1000) == b'{"n": 1}\n{"n": 3}\n'


def test_a_slow_reader_gets_everything(pipe: tuple[int, int]) -> None:
    out, into = pipe
    messages = [outgoing(n, body=b'"%s"' % (b"x" * 1000)) for n in range(300)]
    read = bytearray()

    def slowly() -> None:
        while len(read) < 300 * 1003:
            read.extend(os.read(out, 10_000))
            time.sleep(0.001)

    reader = threading.Thread(target=slowly, daemon=True)
    reader.start()
    assert asyncio.run(StdoutSink(StdoutOptions(), into).send(messages)) == {}
    reader.join(10)
    assert bytes(read) == b"".join(message.body + b"\n" for message in messages)


def test_a_reader_that_sleeps_or_has_gone(pipe: tuple[int, int]) -> None:
    out, into = pipe
    much = [outgoing(1, body=b"1" * 200_000)]

    async def run(seconds: float) -> FailureKind:
        with pytest.raises(ConnectorError) as caught:
            await StdoutSink(StdoutOptions(timeout_seconds=seconds), into).send(much)
        return caught.value.failure.kind

    assert asyncio.run(run(0.2)) is FailureKind.TIMEOUT
    os.close(out)
    assert asyncio.run(run(30)) is FailureKind.UNAVAILABLE


def test_who_gives_up_waits_for_the_thread(pipe: tuple[int, int]) -> None:
    out, into = pipe

    async def run() -> None:
        sink = StdoutSink(StdoutOptions(), into)
        sending = asyncio.create_task(sink.send([outgoing(1, body=b"1" * 200_000)]))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        sending.cancel()
        await asyncio.wait({sending}, timeout=10)
        assert sending.cancelled() and time.monotonic() - started < 5

    asyncio.run(run())
    drained = 0
    while select.select([out], [], [], 0.3)[0]:
        drained += len(os.read(out, 1 << 20))
    assert drained < 200_000, "a thread that still wrote would have gone on"


def test_a_thread_that_fails_while_nobody_wants_its_answer() -> None:
    def work(stop: threading.Event) -> None:
        assert stop.wait(10)
        raise ValueError

    async def run() -> None:
        task = asyncio.create_task(in_thread(work))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


# Standard input.


def texts(messages: Sequence[Incoming]) -> list[bytes]:
    return [message.payload for message in messages]


def test_standard_input(pipe: tuple[int, int]) -> None:
    out, into = pipe

    async def run() -> list[str]:
        source = StdinSource(StdinOptions(id_field="id"), out)
        await source.open()
        assert await source.receive(5, 0.05) == []
        os.write(into, b'{"id": "a"}\r\n\nx\nx\nto')
        taken = await source.receive(2, 5)
        assert texts(taken) == [b'{"id": "a"}', b"x"] and taken[0][:3] == ("a", None, "stdin")
        rest = await source.receive(2, 5)
        assert texts(rest) == [b"x"]
        os.write(into, b"rn\nlast")
        assert texts(await source.receive(5, 5)) == [b"torn"]
        os.close(into)
        last = await source.receive(5, 5)
        assert texts(last) == [b"last"]
        await source.release(taken)
        assert texts(await source.receive(5, 5)) == texts(taken)
        await source.acknowledge([*taken, *rest, *last])
        started = time.monotonic()
        assert await source.receive(5, 0.2) == [] and time.monotonic() - started > 0.1
        await source.close()
        return [message.event_id for message in (*taken, *rest, *last)]

    ids = asyncio.run(run())
    assert len(set(ids)) == 4


def test_a_line_that_is_too_long_ends_the_reading(pipe: tuple[int, int]) -> None:
    out, into = pipe
    os.write(into, b"x" * 101)
    with pytest.raises(ConnectorError, match="longer than 100 bytes"):
        asyncio.run(StdinSource(StdinOptions(max_line_bytes=100), out).receive(1, 1))


def test_who_gives_up_waiting_leaves_what_was_read_to_the_next(pipe: tuple[int, int]) -> None:
    out, into = pipe

    async def run() -> None:
        source = StdinSource(StdinOptions(), out)
        waiting = asyncio.create_task(source.receive(5, 30))
        await asyncio.sleep(0.02)
        os.write(into, b"a\nb\n")
        waiting.cancel()
        await asyncio.wait({waiting}, timeout=10)
        assert waiting.cancelled()
        assert texts(await source.receive(5, 5)) == [b"a", b"b"]

    asyncio.run(run())


# The file that is read.


@asynccontextmanager
async def reading(path: Path, **options: Any) -> AsyncIterator[FileSource]:
    source = FileSource(file_source.FileOptions(path=str(path), poll_seconds=0.01, **options))
    try:
        await source.open()
        yield source
    finally:
        await source.close()


def test_a_file_is_read_from_where_the_reading_stopped(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"id": 1}\n{"id": 2}\n\n{"id": 3}\n{"id": 4')

    async def run() -> None:
        async with reading(path, id_field="id") as source:
            one, two, three = await source.receive(10, 5)
            assert [m.event_id for m in (one, two, three)] == ["1", "2", "3"] and one.source == "file:in.jsonl"
            await source.acknowledge([one, three])
            assert (tmp_path / "in.jsonl.offset").read_text() == "10\n"
        async with reading(path, id_field="id") as source:
            again = await source.receive(10, 5)
            assert [message.event_id for message in again] == ["2", "3"]
            await source.release(again)
            again = await source.receive(10, 5)
            await source.acknowledge(again)
            assert await source.receive(10, 0.05) == []
            with path.open("ab") as file:
                file.write(b"}\n")
            (four,) = await source.receive(10, 5)
            assert four.event_id == "4"
        async with reading(path) as source:
            assert texts(await source.receive(10, 5)) == [b'{"id": 4}']

    asyncio.run(run())


def test_lines_without_id_are_known_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"x\nx\n")

    async def run() -> list[str]:
        async with reading(path) as source:
            return [message.event_id for message in await source.receive(10, 5)]

    first, second = asyncio.run(run()), asyncio.run(run())
    assert first == second and len(set(first)) == 2


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    path, offset = tmp_path / "in.txt", tmp_path / "offset"

    async def run(**options: Any) -> str:
        with pytest.raises(ConnectorError) as caught:
            async with reading(path, offset_path=str(offset), **options) as source:
                await source.receive(10, 0.1)
        assert caught.value.failure.kind is FailureKind.DESTINATION
        return str(caught.value)

    assert "No such file" in asyncio.run(run())
    path.write_bytes(b"abcdef")
    assert "longer than 5 bytes" in asyncio.run(run(max_line_bytes=5))
    offset.write_text("7\n")
    assert f"remove {offset}" in asyncio.run(run())
    offset.write_text("soon")
    assert "does not hold a number" in asyncio.run(run())
    with pytest.raises(ConfigurationError):
        FileSource(file_source.FileOptions(path=""))


def test_the_offset_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"a\nb\n")

    async def run() -> None:
        async with reading(path) as source:
            taken = await source.receive(10, 5)
            await source.acknowledge(taken[:1])
            monkeypatch.setattr(os, "fsync", _full_disk)
            with pytest.raises(ConnectorError, match="No space"):
                await source.acknowledge(taken[1:])
        assert (tmp_path / "in.txt.offset").read_text() == "2\n"

    asyncio.run(run())


def _full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
