"""The child's side of the pipe: every job gets one answer, whatever happens to it."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from types import SimpleNamespace
from typing import Any

import pytest
from support.databases import Database

from trickle.db.session import connect
from trickle.worker import exits
from trickle.worker.bench import Limits, Workbench
from trickle.worker.child import attempt, serve
from trickle.worker.protocol import Compile, Done, Failed, Hello, Outcome, Prune, Refresh, Stop


def bench_on(db: Database, **more: Any) -> Workbench:
    return Workbench.prepare(connect(db.url, role="refresh"), more.pop("pooled", False), Limits(), **more)


@pytest.fixture
def bench(db: Database) -> Iterator[Workbench]:
    opened = bench_on(db)
    yield opened
    opened.close()


@pytest.fixture
def counted(db: Database) -> int:
    """A stream table that counts the rows of `source`; its number."""
    with db.connect() as owner:
        owner.execute("CREATE TABLE source (id int PRIMARY KEY, v int)")
        owner.execute("SELECT pgtrickle.create_stream_table('counted', 'SELECT count(*) AS n FROM public.source')")
        row = owner.execute("SELECT pgt_id FROM pgtrickle.pgt_stream_tables").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("pooled", [False, True])
def test_a_refresh_takes_what_is_new(db: Database, counted: int, pooled: bool) -> None:
    bench = bench_on(db, pooled=pooled)
    with db.connect() as owner:
        owner.execute("INSERT INTO source SELECT i, i FROM generate_series(1, 5) AS i")
        answer = attempt(bench, Refresh(counted))
        assert isinstance(answer, Done)
        assert answer.outcome.rows_changed > 0
        assert owner.execute("SELECT n FROM counted").fetchone() == (5,)
    again = attempt(bench, Refresh(counted))
    assert isinstance(again, Done) and again.outcome.action == "NO_DATA"
    bench.close()


def test_settings_are_those_of_a_worker(bench: Workbench) -> None:
    assert bench.conn.execute("SHOW synchronous_commit").fetchone() == ("off",)
    assert bench.conn.execute("SHOW statement_timeout").fetchone() == ("5min",)
    assert bench.backend_pid == bench.conn.info.backend_pid


def test_behind_a_pooler_no_setting_stays_on_the_session(db: Database, counted: int) -> None:
    bench = bench_on(db, pooled=True)
    attempt(bench, Refresh(counted))
    assert bench.conn.execute("SHOW synchronous_commit").fetchone() == ("on",)
    assert bench.backend_pid is None
    bench.close()


def test_a_failure_is_recorded_and_answered(db: Database, counted: int, bench: Workbench) -> None:
    with db.connect() as owner:
        owner.execute("CREATE TABLE d (id int PRIMARY KEY, v int)")
        owner.execute("SELECT pgtrickle.create_stream_table('inverse', 'SELECT id, 1 / v AS x FROM public.d')")
        row = owner.execute("SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'inverse'").fetchone()
        assert row is not None
        owner.execute("INSERT INTO d VALUES (1, 0)")
        answer = attempt(bench, Refresh(row[0]))
        assert isinstance(answer, Failed)
        assert (answer.sqlstate, answer.connection_lost) == ("22012", False)
        assert "division by zero" in answer.message
        history = owner.execute(
            "SELECT status, initiated_by, error_code FROM pgtrickle.pgt_refresh_history WHERE pgt_id = %s"
            " ORDER BY refresh_id DESC LIMIT 1",
            (row[0],),
        ).fetchone()
        assert history == ("FAILED", "SCHEDULER", "22012")
    good = attempt(bench, Refresh(counted))
    assert isinstance(good, Done), "the session is as good as before"


def test_a_compile_uses_the_compiler_it_was_given(db: Database, counted: int) -> None:
    bench = bench_on(db, compile_program=lambda conn, pgt_id: SimpleNamespace(state="compiled", reason=str(pgt_id)))
    answer = attempt(bench, Compile(counted))
    assert isinstance(answer, Done)
    assert answer.outcome == Outcome("compiled", reason=str(counted))
    bench.close()


def test_pruning_empties_a_buffer_and_gives_a_new_one_its_first_vacuum(
    db: Database, counted: int, bench: Workbench
) -> None:
    with db.connect() as owner:
        owner.execute("INSERT INTO source SELECT i, i FROM generate_series(1, 100) AS i")
        row = owner.execute("SELECT source_id FROM pgtrickle.pgt_change_tracking").fetchone()
        assert row is not None
        attempt(bench, Refresh(counted))
        answer = attempt(bench, Prune(row[0]))
        assert isinstance(answer, Done), answer
        assert answer.outcome.rows_deleted == 100
        known = owner.execute("SELECT reltuples >= 0 FROM pg_class WHERE relname = %s", (f"changes_{row[0]}",))
        assert known.fetchone() == (True,)


def test_a_lost_connection_costs_the_job_and_not_the_child(db: Database, counted: int) -> None:
    ours, theirs = multiprocessing.Pipe()
    benches: list[Workbench] = []

    def open_bench() -> Workbench:
        benches.append(bench_on(db))
        return benches[-1]

    codes: list[int] = []
    child = threading.Thread(target=lambda: codes.append(serve(theirs, open_bench)))
    child.start()
    hello = receive(ours)
    assert isinstance(hello, Hello) and hello.backend_pid is not None
    with db.connect() as owner:
        owner.execute("SELECT pg_terminate_backend(%s, 5000)", (hello.backend_pid,))
    ours.send(Refresh(counted))
    lost = receive(ours)
    assert isinstance(lost, Failed) and lost.connection_lost
    ours.send(Refresh(counted))
    again = receive(ours)
    assert isinstance(again, Hello) and again.backend_pid != hello.backend_pid
    assert isinstance(receive(ours), Done)
    ours.send(Stop())
    child.join(10)
    assert codes == [exits.STOPPED]
    assert len(benches) == 2


def test_a_session_that_keeps_too_many_plans_is_exchanged_between_two_jobs(db: Database, counted: int) -> None:
    with db.connect() as owner:
        for name in ("twice", "thrice"):
            owner.execute("SELECT pgtrickle.create_stream_table(%s, 'SELECT max(v) AS v FROM public.source')", (name,))
        owner.execute("INSERT INTO source VALUES (1, 1)")
        others = [
            row[0]
            for row in owner.execute(
                "SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_id <> %s ORDER BY 1", (counted,)
            )
        ]
    ours, theirs = multiprocessing.Pipe()

    def open_bench() -> Workbench:
        return Workbench.prepare(connect(db.url, role="refresh"), False, Limits(stream_tables=2))

    child = threading.Thread(target=serve, args=(theirs, open_bench), daemon=True)
    child.start()
    first = receive(ours)
    assert isinstance(first, Hello)
    for job in (Refresh(counted), Compile(others[0]), Refresh(counted), Refresh(others[0])):
        ours.send(job)
        assert isinstance(receive(ours), Done), "two stream tables are not too many, however often"
    ours.send(Refresh(others[1]))
    assert isinstance(receive(ours), Done), "the answer is not kept waiting"
    second = receive(ours)
    assert isinstance(second, Hello) and second.backend_pid != first.backend_pid
    with db.connect() as owner:
        owner.execute("INSERT INTO source VALUES (2, 2)")
    ours.send(Refresh(counted))
    done = receive(ours)
    assert isinstance(done, Done) and done.outcome.rows_changed > 0, "the new session starts with none"
    ours.send(Stop())
    child.join(10)
    assert not child.is_alive()


def test_the_end_of_the_pipe_ends_the_child() -> None:
    ours, theirs = multiprocessing.Pipe()
    bench = SimpleNamespace(backend_pid=1)
    ours.close()
    with pytest.raises((EOFError, OSError)):
        serve(theirs, lambda: bench)  # type: ignore[arg-type, return-value]


def test_a_crash_in_a_job_is_an_answer() -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("no such luck")

    bench = SimpleNamespace(is_lost=False, compile_program=explode, conn=None, met=set())
    answer = attempt(bench, Compile(1))  # type: ignore[arg-type]
    assert isinstance(answer, Failed)
    assert (answer.sqlstate, answer.message) == ("XX000", "RuntimeError: no such luck")


def receive(pipe: Pipe) -> object:
    assert pipe.poll(20), "no answer"
    return pipe.recv()
