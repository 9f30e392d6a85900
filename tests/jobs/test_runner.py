"""A runner does every job once, tells how it ended, and gives back what it cannot finish.

Lies it would catch: a job that is lost when a session, a handler or a process ends; a handler that goes on with a job
that is somebody else's by now; a runner that does not wake up; a poison job that comes for ever.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.pooler import Pooler
from support.runners import Conn, await_that, process, running, states

import trickle
from trickle import GiveUp, JobContext
from trickle.errors import Refused
from trickle.jobs.registry import Registry

# The server of the tests allows prepared transactions, and then nobody rings unless told to.
RING = "SELECT pgtrickle.set_config('event_driven_wake', 'on')"


def output_of(conn: Conn, job: int | None) -> Any:
    row = conn.execute("SELECT output FROM pgtrickle.job WHERE id = %s", (job,)).fetchone()
    return row and row[0]


def state_of(conn: Conn, job: int | None) -> Any:
    row = conn.execute("SELECT state FROM pgtrickle.job WHERE id = %s", (job,)).fetchone()
    return row and row[0]


def test_all_are_done_once(db: Database, conn: Conn, registry: Registry) -> None:
    done: list[int] = []

    @registry.job("async")
    async def one(data: Any) -> None:
        await asyncio.sleep(0)
        done.append(data)

    @registry.job("sync")
    def other(data: Any) -> int:
        done.append(data)
        return data + 1

    trickle.enqueue_many(conn, "async", range(300))
    trickle.enqueue_many(conn, "sync", range(300, 400))
    with running(db.url, registry), running(db.url, registry):
        await_that(lambda: states(conn) == {"completed": 400})
    assert sorted(done) == list(range(400))
    assert output_of(conn, 301) == 301


def test_a_sleeping_runner_is_woken(db: Database, conn: Conn, registry: Registry) -> None:
    conn.execute(RING)
    seen: list[float] = []

    @registry.job("q")
    async def handle(data: Any) -> None:
        seen.append(time.monotonic())

    with running(db.url, registry):
        armed = "SELECT count(*) FROM pg_locks WHERE classid = pgtrickle._job_bell_class() AND mode = 'ExclusiveLock'"
        took = []
        for turn in range(5):
            await_that(lambda: conn.execute(armed).fetchone() == (1,))
            asked = time.monotonic()
            trickle.enqueue(conn, "q")
            await_that(lambda turn=turn: len(seen) > turn)
            took.append(seen[-1] - asked)
    assert min(took) < 0.5, took


@dataclass
class Mail:
    to: str
    copies: int = 1


def test_payloads_have_a_type(db: Database, conn: Conn, registry: Registry) -> None:
    seen: list[Mail] = []

    @registry.job("mail")
    async def send(mail: Mail) -> dict[str, int]:
        seen.append(mail)
        return {"sent": mail.copies}

    good = trickle.enqueue(conn, "mail", Mail("a@b", 3))
    bad = trickle.enqueue(conn, "mail", {"tos": 1})
    with running(db.url, registry):
        await_that(lambda: states(conn) == {"completed": 1, "failed": 1})
    assert seen == [Mail("a@b", 3)] and output_of(conn, good) == {"sent": 3}
    assert "missing: to; unknown: tos" in output_of(conn, bad)["error"]


def test_it_is_tried_again_until_its_attempts_are_used_up(db: Database, conn: Conn, registry: Registry) -> None:
    attempts: list[tuple[int, bool]] = []

    @registry.job("q")
    async def handle(data: Any, context: JobContext) -> None:
        attempts.append((context.attempt, context.is_last_attempt))
        raise ValueError("no\0")

    @registry.job("hopeless")
    def refuse(data: Any) -> None:
        raise GiveUp("never")

    job = trickle.enqueue(conn, "q", retry_delay=timedelta(0), dead_letter="dead")
    hopeless = trickle.enqueue(conn, "hopeless")
    with running(db.url, registry):
        await_that(lambda: states(conn) == {"failed": 2, "created": 1})
    assert attempts == [(1, False), (2, False), (3, True)]
    assert output_of(conn, job) == {"error": "no", "type": "ValueError"}
    assert output_of(conn, hopeless)["type"] == "GiveUp"


@pytest.mark.parametrize("result", [object(), float("nan"), "a\0b", "\ud800", {1, 2}])
def test_a_result_that_is_not_json_fails_the_job_and_nothing_else(
    db: Database, conn: Conn, registry: Registry, result: object
) -> None:
    @registry.job("q")
    async def handle(data: Any) -> Any:
        return result if data else "\\u0000 is text"

    bad, good = trickle.enqueue(conn, "q", data=1), trickle.enqueue(conn, "q", data=0)
    with running(db.url, registry):
        await_that(lambda: states(conn) == {"completed": 1, "failed": 1})
    assert state_of(conn, bad) == "failed" and output_of(conn, good) == "\\u0000 is text"


def test_results_are_kept_as_they_are_beside_failures(db: Database, conn: Conn, registry: Registry) -> None:
    """Jobs that end together are acknowledged together, in one array."""
    results = ['"', "\\", '\\"', "{a,b}", "NULL", "%s", "é\n\t", "", None, ["\\\\", {'"': '"'}], 1.5, "$1"]

    @registry.job("q")
    async def handle(number: int) -> Any:
        if number < 0:
            raise ValueError(f'{{"no", \\"{number}}}')
        return results[number]

    numbers = [*range(len(results)), -1, -2]
    jobs = [trickle.enqueue(conn, "q", number, retry_limit=0) for number in numbers]
    with running(db.url, registry):
        await_that(lambda: states(conn) == {"completed": len(results), "failed": 2})
    told = [output_of(conn, job) for job in jobs]
    assert told[:-2] == results
    assert [each["error"] for each in told[-2:]] == ['{"no", \\"-1}', '{"no", \\"-2}']


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), asyncio.CancelledError(), TimeoutError("its own")])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_whatever_a_handler_raises_the_runner_goes_on(
    db: Database, conn: Conn, registry: Registry, error: BaseException, kind: str
) -> None:
    @registry.job("async")
    async def fail(data: Any) -> None:
        raise error

    @registry.job("sync")
    def fail_too(data: Any) -> None:
        raise error

    job = trickle.enqueue(conn, kind, retry_limit=0)
    with running(db.url, registry):
        await_that(lambda: state_of(conn, job) == "failed")
        assert "took longer" not in output_of(conn, job)["error"]


def test_what_takes_too_long_is_ended(db: Database, conn: Conn, registry: Registry) -> None:
    ended = threading.Event()

    @registry.job("async")
    async def sleep(data: Any) -> None:
        await asyncio.sleep(3600)

    @registry.job("sync")
    def wait(data: Any, context: JobContext) -> None:
        await_that(lambda: context.cancelled)
        ended.set()

    jobs = [
        trickle.enqueue(conn, queue, expire_in=timedelta(seconds=0.2), retry_limit=0) for queue in ("async", "sync")
    ]
    with running(db.url, registry):
        await_that(lambda: states(conn) == {"failed": 2})
        assert all("took longer than 0.2 s" in output_of(conn, job)["error"] for job in jobs)
        assert ended.wait(60)


def test_progress_and_cancelling(db: Database, conn: Conn, registry: Registry) -> None:
    @registry.job("q")
    async def handle(data: Any, context: JobContext) -> None:
        context.progress({"done": 1})
        context.progress({"done": 2})
        await asyncio.sleep(3600)

    job = trickle.enqueue(conn, "q")
    with running(db.url, registry):
        progress = "SELECT progress FROM pgtrickle.job_status(%s)"
        await_that(lambda: conn.execute(progress, (job,)).fetchone() == ({"done": 2},))
        conn.execute("SELECT pgtrickle.cancel_job(%s)", (job,))
        await_that(lambda: state_of(conn, job) == "cancelled")


def test_a_delayed_one_runs_when_it_is_due(db: Database, conn: Conn, registry: Registry) -> None:
    @registry.job("q")
    async def handle(data: Any) -> None: ...

    with running(db.url, registry):
        job = trickle.enqueue(conn, "q", delay=timedelta(seconds=0.3))
        await_that(lambda: state_of(conn, job) == "completed")
    early = "SELECT started_on < start_after FROM pgtrickle.job"
    assert conn.execute(early).fetchone() == (False,)


def test_keys_are_in_order_with_two_runners(db: Database, conn: Conn, registry: Registry) -> None:
    done: dict[str, list[int]] = {"a": [], "b": []}
    at_work = {"a": 0, "b": 0}

    @registry.job("q")
    async def handle(data: Any) -> None:
        at_work[data["key"]] += 1
        assert at_work[data["key"]] == 1
        await asyncio.sleep(0.001)
        at_work[data["key"]] -= 1
        done[data["key"]].append(data["n"])

    with running(db.url, registry, concurrency=4), running(db.url, registry, concurrency=4):
        for n in range(60):
            trickle.enqueue(conn, "q", {"key": "ab"[n % 2], "n": n}, ordering_key="ab"[n % 2])
        await_that(lambda: states(conn) == {"completed": 60})
    assert done == {"a": list(range(0, 60, 2)), "b": list(range(1, 60, 2))}


def test_the_runbook_takes_jobs_from_one_that_hangs(db: Database, conn: Conn, registry: Registry) -> None:
    calls: list[int] = []

    @registry.job("q")
    async def handle(data: Any, context: JobContext) -> str:
        calls.append(context.attempt)
        if context.attempt == 1:
            await asyncio.sleep(3600)
        return "second"

    job = trickle.enqueue(conn, "q")
    with running(db.url, registry):
        await_that(lambda: calls == [1])
        conn.execute("UPDATE pgtrickle.job SET state = 'retry' WHERE state = 'active' AND started_on < now()")
        await_that(lambda: state_of(conn, job) == "completed")
    assert output_of(conn, job) == "second"


def test_stopping_waits_and_then_hands_back(db: Database, conn: Conn, registry: Registry) -> None:
    begun: list[str] = []
    let_go = threading.Event()

    @registry.job("short")
    def short(data: Any) -> None:
        begun.append("short")
        let_go.wait(60)

    @registry.job("long")
    async def long(data: Any) -> None:
        begun.append("long")
        await asyncio.sleep(3600)

    ended = trickle.enqueue(conn, "short")
    left = trickle.enqueue(conn, "long")
    with running(db.url, registry) as runner:
        await_that(lambda: len(begun) == 2)
        runner.stop()
        late = trickle.enqueue(conn, "short")
        let_go.set()
        await_that(lambda: state_of(conn, ended) == "completed")
        assert runner.is_alive and state_of(conn, left) == "active"
        runner.stop()
        await_that(lambda: not runner.is_alive)
    assert state_of(conn, left) == state_of(conn, late) == "created"
    attempt = conn.execute("SELECT attempt FROM pgtrickle.job_status(%s)", (left,)).fetchone()
    assert attempt == (0,), "as if it had not begun"


def test_a_session_that_ends_costs_no_job_that_runs(db: Database, conn: Conn, registry: Registry) -> None:
    begun: list[int] = []
    let_go = threading.Event()

    @registry.job("q")
    def handle(data: Any, context: JobContext) -> int:
        begun.append(context.attempt)
        let_go.wait(60)
        return context.attempt

    job = trickle.enqueue(conn, "q")
    with running(db.url, registry), db.superuser() as admin:
        await_that(lambda: begun == [1])
        sessions = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'pg_trickle_jobs%%'"
        pids = {pid for (pid,) in admin.execute(sessions, (db.name,))}
        assert len(pids) == 2
        admin.execute("SELECT pg_terminate_backend(p) FROM unnest(%s) p", (list(pids),))
        await_that(lambda: len({pid for (pid,) in admin.execute(sessions, (db.name,))} - pids) == 2)
        let_go.set()
        await_that(lambda: state_of(conn, job) == "completed")
        assert output_of(conn, job) == 1 and begun == [1]
        trickle.enqueue(conn, "q")
        await_that(lambda: begun == [1, 1])


def test_what_another_took_over_meanwhile_is_stopped(db: Database, conn: Conn, registry: Registry) -> None:
    ended: list[str] = []

    @registry.job("q")
    async def handle(data: Any, context: JobContext) -> str:
        try:
            await asyncio.sleep(3600 if context.attempt == 1 else 0)
        except asyncio.CancelledError:
            ended.append("stopped")
            raise
        return "second"

    job = trickle.enqueue(conn, "q")
    with running(db.url, registry):
        await_that(lambda: state_of(conn, job) == "active")
        with db.superuser() as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND application_name = 'pg_trickle_jobs'",
                (db.name,),
            )
            conn.execute("UPDATE pgtrickle.job SET state = 'retry' WHERE state = 'active'")
        await_that(lambda: state_of(conn, job) == "completed")
    assert ended == ["stopped"] and output_of(conn, job) == "second"


def test_jobs_of_a_killed_process_run_again_at_once(
    db: Database, conn: Conn, registry: Registry, tmp_path: Path
) -> None:
    @registry.job("q")
    async def handle(data: Any, context: JobContext) -> int:
        return context.attempt

    jobs = [trickle.enqueue(conn, "q") for _ in range(5)]
    program = "@trickle.job('q')\nasync def handle(data): await asyncio.sleep(3600)"
    with process(db.url, program, tmp_path) as child:
        await_that(lambda: states(conn) == {"active": 5})
        with running(db.url, registry):
            child.kill()
            killed = time.monotonic()
            await_that(lambda: states(conn) == {"completed": 5})
            took = time.monotonic() - killed
    assert took < 10, "two seconds, on a machine with nothing else to do"
    assert {output_of(conn, job) for job in jobs} == {2}


def test_a_job_that_kills_its_workers_ends_in_the_dead_letters(db: Database, conn: Conn, tmp_path: Path) -> None:
    job = trickle.enqueue(conn, "q", dead_letter="dead", retry_limit=2)
    program = "@trickle.job('q')\nasync def handle(data): os.kill(os.getpid(), signal.SIGKILL)"
    deaths = 0
    while state_of(conn, job) != "failed":
        with process(db.url, program, tmp_path) as child:
            await_that(lambda: child.poll() is not None or state_of(conn, job) == "failed")
            deaths += child.poll() is not None
    assert deaths == 3
    assert conn.execute("SELECT name, source_id FROM pgtrickle.job WHERE name = 'dead'").fetchone() == ("dead", job)


def test_a_process_told_to_end_hands_back(db: Database, conn: Conn, tmp_path: Path) -> None:
    job = trickle.enqueue(conn, "q")
    program = "@trickle.job('q')\ndef handle(data): time.sleep(3600)"
    with process(db.url, program, tmp_path, "drain_seconds=0.1") as child:
        await_that(lambda: state_of(conn, job) == "active")
        child.terminate()
        await_that(lambda: child.poll() is not None)
        assert child.poll() == 0
    assert state_of(conn, job) == "created"


def test_nothing_is_notified_while_it_is_busy(db: Database, conn: Conn, registry: Registry) -> None:
    conn.execute(RING)
    let_go = threading.Event()

    @registry.job("q")
    def handle(data: Any) -> None:
        let_go.wait(60)

    with running(db.url, registry, concurrency=1), psycopg.connect(db.url, autocommit=True) as ear:
        trickle.enqueue(conn, "q")
        await_that(lambda: states(conn) == {"active": 1})
        held = "SELECT count(*) FROM pg_locks WHERE classid = pgtrickle._job_bell_class() AND mode = 'ExclusiveLock'"
        await_that(lambda: conn.execute(held).fetchone() == (0,))
        ear.execute("LISTEN pgtrickle_job")
        for _ in range(20):
            trickle.enqueue(conn, "q")
        assert list(ear.notifies(timeout=0, stop_after=1)) == []
        let_go.set()
        await_that(lambda: states(conn) == {"completed": 21})


def test_behind_a_pooler_nobody_could_know_that_it_lives(db: Database, pooler: Pooler, registry: Registry) -> None:
    @registry.job("q")
    async def handle(data: Any) -> None: ...

    with pytest.raises(Refused, match="connection pooler"), running(pooler.url(db), registry) as runner:
        await_that(lambda: not runner.is_alive)
