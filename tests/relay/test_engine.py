"""The pipelines of one process, and what its parent makes of their counts: started, changed, crashed, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client.exposition import generate_latest
from support.loops import in_loop
from support.outgoing import outgoing
from support.pigeon import message
from support.relaying import REFUSED, soon

from trickle.errors import ConfigurationError
from trickle.relay.delivery import Delivery, Retry
from trickle.relay.engine import Assembled, Engine
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.items import Place, Window
from trickle.relay.message import Outgoing
from trickle.relay.outlet import Limits, Outlet
from trickle.relay.protocol import PipelineRow
from trickle.relay.standing import Standing, State
from trickle.relay.watching import _sent_in_order
from trickle.supervisor.relay_report import RelayReport

ROW = PipelineRow("one", "forward", "box", "one", None, {"type": "file"}, {})


@dataclass
class Runner:
    """One that runs until it is told to stop, and counts."""

    standing: Standing
    crash: Exception | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        self.standing.turn(State.RUNNING)
        if self.crash is not None:
            raise self.crash
        await self.stopping.wait()

    def stop(self) -> None:
        self.stopping.set()


@dataclass
class Workshop:
    """What an engine is given; it assembles what it is told to, or fails as it is told to."""

    wrong: Exception | None = None
    crash: Exception | None = None
    seal: str | None = None
    made: list[PipelineRow] = field(default_factory=list)
    ended: list[tuple[str, int, bool]] = field(default_factory=list)

    def assemble(self, row: PipelineRow, standing: Standing) -> Assembled:
        self.made.append(row)
        if self.wrong is not None:
            raise self.wrong
        return Assembled(Runner(standing, self.crash), self.seal)

    def end(self, name: str, standing: Standing, is_changed: bool) -> None:
        self.ended.append((name, standing.published, is_changed))

    def engine(self) -> Engine:
        return Engine(self.assemble, lambda row: self.seal, self.end)


@in_loop
async def test_a_pipeline_is_started_changed_and_stopped() -> None:
    shop = Workshop()
    engine = shop.engine()
    engine.carry((ROW,))
    await soon(lambda: engine.standings["one"].state is State.RUNNING)
    engine.carry((ROW,))
    other = replace(ROW, options={"batch_size": 1})
    engine.standings["one"].published = 5
    engine.carry((other,))
    await soon(lambda: shop.made == [ROW, other])
    assert shop.ended == [("one", 5, True)], "whatever it did before it was changed is told"
    engine.carry(())
    await soon(lambda: shop.ended[1:] == [("one", 0, False)])
    await engine.leave()


@pytest.mark.parametrize("where", ["wrong", "crash"])
@in_loop
async def test_one_that_crashes_is_tried_again_after_a_pause(where: str) -> None:
    """Wherever it crashes, and whatever with: the others of its process do not notice."""
    shop = Workshop(**{where: KeyError("nobody has thought of this")})
    engine = shop.engine()
    engine.carry((ROW,))
    await soon(lambda: shop.made)
    await asyncio.sleep(0.3)
    assert len(shop.made) == 1
    assert engine.standings["one"].state is State.HELD
    setattr(shop, where, None)
    await soon(lambda: engine.standings["one"].state is State.RUNNING)
    async with asyncio.timeout(5):
        await engine.leave()


@in_loop
async def test_a_wrong_configuration_fails_until_it_is_right() -> None:
    shop = Workshop(wrong=ConfigurationError("no such key"))
    engine = shop.engine()
    engine.carry((ROW,))
    await soon(lambda: engine.standings["one"].state is State.FAILED)
    assert "no such key" in str(engine.standings["one"].reason)
    shop.wrong = None
    await soon(lambda: engine.standings["one"].state is State.RUNNING)
    await engine.leave()


def shown(report: RelayReport, series: str) -> float:
    told = generate_latest(report.registry).decode().splitlines()
    return float(next(line for line in told if line.startswith(series + "{")).rpartition(" ")[2])


def test_counts_go_on_where_the_one_before_ended() -> None:
    """Also of those that nobody was told of before they ended."""
    report, published = RelayReport("g"), "pg_tide_relay_messages_published_total"
    owned, directions = frozenset(("one",)), {"one": "forward"}
    report.publish({"one": Standing(published=5, consumed=5)}, (), directions, owned)
    report.publish({"one": Standing(published=7, consumed=7)}, (), directions, owned)
    assert shown(report, published) == 7
    ended = [("one", Standing(published=8)), ("one", Standing(published=2))]
    report.publish({"one": Standing(published=87, consumed=87)}, ended, directions, owned)
    assert shown(report, published) == 97
    report.publish({}, [("one", Standing(published=87))], {}, frozenset())
    assert shown(report, published) == 97
    assert 'direction="forward"' in generate_latest(report.registry).decode(), "it is the same series still"
    report.publish({"one": Standing(published=3)}, (), directions, owned)
    assert shown(report, published) == 100


class Slow:
    """A sink whose answers come when they are let go, even after it was given up."""

    keeps_order = True

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def open(self) -> None:
        pass

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        if messages[0].outbox_id == 1:
            raise ConnectorError(FailureKind.UNAVAILABLE, "cut off")
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            await self.let_go.wait()
        return {}

    async def close(self) -> None:
        pass


@in_loop
async def test_an_answer_that_comes_after_it_was_given_up_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its messages are on their way again: they would be done twice."""
    monkeypatch.setattr("trickle.relay.outlet._CLOSE_SECONDS", 0.05)
    sink, standing = Slow(), Standing()
    outlet = Outlet("one", lambda: sink, Limits(batch_size=1), asyncio.Event(), standing)
    delivery = Delivery(True, Retry())
    for number in range(2):
        place = Place(Window("1:1:", "1:1:"), number)
        delivery.read(None, message(outbox_id=number), [outgoing(number)], place)
    outlet.reconnect(0.0)
    await soon(lambda: outlet.has_connected(0.0))
    outlet.send(delivery, 0.0)
    await soon(lambda: outlet.is_busy)
    (lost,) = await answers_of(outlet, 1)
    assert isinstance(lost.error, ConnectorError)
    await outlet.close()
    delivery.cut_off()
    sink.let_go.set()
    await asyncio.sleep(0.05)
    assert not outlet.take_answers()
    assert len(delivery) == 2


async def answers_of(outlet: Outlet, count: int) -> list[object]:
    found: list[object] = []
    while len(found) < count:
        found += outlet.take_answers()
        await asyncio.sleep(0.01)
    return found


@pytest.mark.parametrize("keeps_order", [True, False])
@in_loop
async def test_a_replay_is_in_order_of_each_key(keeps_order: bool) -> None:
    """Where the sink may take the messages of one call in any order, no two of a key are in one call."""
    calls: list[list[Outgoing]] = []

    class Sink(Slow):
        async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
            calls.append(list(messages))
            return {index: REFUSED for index, one in enumerate(messages) if one.outbox_id == 4}

    sink = Sink()
    sink.keeps_order = keeps_order
    parts = [outgoing(n, key=(None, "a", "b")[n % 3]) for n in range(9)]
    parts = [part._replace(outbox_id=n) for n, part in enumerate(parts)]
    assert await _sent_in_order(sink, parts) == [(parts[4].event_id, REFUSED.reason)]
    assert sorted(one.outbox_id for call in calls for one in call) == list(range(9))
    if keeps_order:
        assert calls == [parts]
    for call in calls if not keeps_order else ():
        keys = [one.key for one in call if one.key is not None]
        assert len(keys) == len(set(keys))
    for key in ("a", "b"):
        mine = [one.outbox_id for call in calls for one in call if one.key == key]
        assert mine == sorted(mine)
