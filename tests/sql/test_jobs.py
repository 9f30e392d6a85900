"""Jobs in the database: one lease at a time, and whoever lost it is told so; every attempt counts; nothing gets lost.

Lies it would catch: a completion of a lease that somebody else holds by now; a job that kills its workers for ever; a
claim whose cost grows with the backlog; two jobs of one key at once; a dead letter lost on its way back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege, ObjectNotInPrerequisiteState
from psycopg.types.json import Jsonb
from support.databases import Database

Conn = psycopg.Connection[Any]
Lease = tuple[int, int]  # id and epoch

WORKER = 7


@pytest.fixture
def conn(db: Database) -> Iterator[Conn]:
    with db.connect() as connection:
        yield connection


def one(conn: Conn, query: str, *values: object) -> Any:
    row = conn.execute(query.encode(), values or None).fetchone()
    assert row is not None
    return row[0]


def enqueue(conn: Conn, queue: str = "q", **options: object) -> int:
    named = "".join(f", {name} => %({name})s" for name in options)
    row = conn.execute(f"SELECT pgtrickle.enqueue(%(queue)s{named})".encode(), {"queue": queue, **options}).fetchone()
    assert row is not None
    return int(row[0]) if row[0] is not None else 0


def lease(conn: Conn, most: int = 10, queues: tuple[str, ...] = ("q",), worker: int = WORKER) -> list[Lease]:
    rows = conn.execute(
        "SELECT id, epoch FROM pgtrickle._lease_jobs(%s, %s, %s) ORDER BY priority DESC, id",
        (list(queues), worker, most),
    )
    return [(job, epoch) for job, epoch in rows.fetchall()]


def ids(leases: list[Lease]) -> list[int]:
    return [job for job, _ in leases]


def columns(leases: list[Lease]) -> tuple[list[int], list[int]]:
    return ids(leases), [epoch for _, epoch in leases]


def complete(conn: Conn, *leases: Lease) -> list[int]:
    found = one(
        conn,
        "SELECT pgtrickle._complete_jobs(%s, %s, %s::jsonb[])",
        *columns(list(leases)),
        [Jsonb({"ok": True})] * len(leases),
    )
    return sorted(found)


def fail(conn: Conn, *leases: Lease, final: bool = False, at_once: bool = True) -> list[int]:
    found = one(
        conn,
        "SELECT pgtrickle._fail_jobs(%s, %s, %s::jsonb[], %s, %s)",
        *columns(list(leases)),
        [Jsonb({"error": "no"})] * len(leases),
        [final] * len(leases),
        at_once,
    )
    return sorted(found)


def release(conn: Conn, *leases: Lease) -> list[int]:
    return sorted(one(conn, "SELECT pgtrickle._release_jobs(%s, %s)", *columns(list(leases))))


def state(conn: Conn, job: int) -> str:
    return str(one(conn, "SELECT state FROM pgtrickle.job WHERE id = %s", job))


def test_a_job_waits_runs_and_ends(conn: Conn) -> None:
    job = enqueue(conn, data=Jsonb({"a": 1}))
    assert state(conn, job) == "created"
    [mine] = lease(conn)
    assert mine[0] == job and state(conn, job) == "active"
    assert lease(conn) == []
    assert complete(conn, mine) == [job]
    row = conn.execute("SELECT name, state, attempt, output FROM pgtrickle.job_status(%s)", (job,)).fetchone()
    assert row == ("q", "completed", 1, {"ok": True})
    assert complete(conn, mine) == [], "once"


def test_it_is_there_when_the_transaction_is_committed(db: Database, conn: Conn) -> None:
    with db.connect(autocommit=False) as writer:
        job = enqueue(writer)
        assert lease(conn) == []
        writer.commit()
        assert ids(lease(conn)) == [job]
        enqueue(writer)
        writer.rollback()
    assert lease(conn) == []


def test_by_priority_then_by_age_within_the_queues_asked_for(conn: Conn) -> None:
    low, high, other = enqueue(conn), enqueue(conn, priority=5), enqueue(conn, "other", priority=9)
    last = enqueue(conn)
    assert ids(lease(conn, 2)) == [high, low]
    assert ids(lease(conn, 2, ("nothing", "q", "other"))) == [other, last]


def test_many_come_in_one_statement(conn: Conn) -> None:
    made = one(conn, "SELECT pgtrickle.enqueue_many('q', %s)", [Jsonb(n) for n in range(500)])
    assert made == 500
    rows = conn.execute("SELECT data FROM pgtrickle.job ORDER BY id").fetchall()
    assert [n for (n,) in rows] == list(range(500))
    assert len(lease(conn, 600)) == 500


def test_whoever_lost_the_lease_changes_nothing(conn: Conn) -> None:
    job = enqueue(conn)
    [old] = lease(conn)
    conn.execute(
        "UPDATE pgtrickle.job SET state = 'retry' WHERE state = 'active' AND started_on < now() + interval '5 min'"
    )
    assert complete(conn, old) == fail(conn, old) == release(conn, old) == []
    [new] = lease(conn, worker=8)
    assert new[0] == job
    assert complete(conn, old) == fail(conn, old) == release(conn, old) == []
    conn.execute("SELECT pgtrickle._progress_jobs(%s, %s, %s::jsonb[])", (*columns([old]), [Jsonb(5)]))
    assert one(conn, "SELECT progress FROM pgtrickle.job") is None
    assert conn.execute("SELECT id FROM pgtrickle._held_jobs(%s, %s)", columns([old, new])).fetchall() == [(job,)]
    assert complete(conn, new) == [job]


def test_it_is_tried_again_and_then_it_has_failed(conn: Conn) -> None:
    job = enqueue(conn, retry_limit=2)
    for attempt in range(3):
        [mine] = lease(conn)
        assert one(conn, "SELECT attempt FROM pgtrickle.job_status(%s)", job) == attempt + 1
        assert fail(conn, mine) == [job]
    assert state(conn, job) == "failed" and lease(conn) == []
    assert one(conn, "SELECT pgtrickle.retry_job(%s)", job)
    [mine] = lease(conn)
    assert complete(conn, mine) == [job]
    assert not one(conn, "SELECT pgtrickle.retry_job(%s)", job)


def test_what_no_attempt_would_help_fails_at_once(conn: Conn) -> None:
    job = enqueue(conn, retry_limit=9)
    fail(conn, *lease(conn), final=True)
    assert state(conn, job) == "failed"


def test_the_pause_before_an_attempt_grows_with_jitter_and_has_an_end(conn: Conn) -> None:
    job = enqueue(conn, retry_limit=99, retry_delay="10 s")
    for count, least, most in ((0, 5, 10), (1, 10, 20), (3, 40, 80), (60, 1800, 3600)):
        conn.execute("UPDATE pgtrickle.job SET is_ready = true, started_on = NULL, retry_count = %s", (count,))
        fail(conn, *lease(conn), at_once=False)
        seconds = one(conn, "SELECT extract(epoch FROM start_after - clock_timestamp()) FROM pgtrickle.job")
        assert least - 1 < float(seconds) <= most
    conn.execute("UPDATE pgtrickle.job SET is_ready = true, retry_backoff = false")
    fail(conn, *lease(conn), at_once=False)
    assert 9 < float(one(conn, "SELECT extract(epoch FROM start_after - clock_timestamp()) FROM pgtrickle.job")) <= 10
    assert lease(conn) == [] and state(conn, job) == "retry"


def test_what_is_handed_back_has_not_begun(conn: Conn) -> None:
    job = enqueue(conn, retry_limit=0)
    for _ in range(3):
        [mine] = lease(conn)
        assert release(conn, mine) == [job]
        assert state(conn, job) == "created"
    assert complete(conn, *lease(conn)) == [job]


def test_a_delayed_one_becomes_ready_when_it_is_due(conn: Conn) -> None:
    conn.execute("SELECT pgtrickle.enqueue('q', start_after => clock_timestamp() + interval '1 hour')")
    assert lease(conn) == [] and one(conn, "SELECT pgtrickle._due_jobs(10)") == 0
    conn.execute("UPDATE pgtrickle.job SET start_after = now()")
    assert one(conn, "SELECT pgtrickle._due_jobs(10)") == 1
    assert len(lease(conn)) == 1


def test_the_dead_are_known_by_their_lock(db: Database, conn: Conn) -> None:
    job = enqueue(conn, retry_limit=1)
    with db.connect() as worker:
        worker.execute("SELECT pg_advisory_lock(pgtrickle._job_worker_class(), %s)", (WORKER,))
        lease(worker)
        assert one(conn, "SELECT pgtrickle._reclaim_jobs(0, 10)") == 0
    for _ in range(500):
        if one(conn, "SELECT pgtrickle._reclaim_jobs(0, 10)") == 1:
            break
    [mine] = lease(conn, worker=9)
    assert mine[0] == job
    assert one(conn, "SELECT pgtrickle._reclaim_jobs(9, 10)") == 0, "never one's own"
    assert one(conn, "SELECT pgtrickle._reclaim_jobs(0, 10)") == 1
    assert state(conn, job) == "failed", "attempts that ended with their worker count"
    assert one(conn, "SELECT output ->> 'error' FROM pgtrickle.job") == "its worker ended"


def test_its_time_budget_holds_while_its_worker_lives(db: Database, conn: Conn) -> None:
    job = enqueue(conn, expire_in="1 minute")
    with db.connect() as worker:
        worker.execute("SELECT pg_advisory_lock(pgtrickle._job_worker_class(), %s)", (WORKER,))
        [mine] = lease(worker)
        conn.execute("UPDATE pgtrickle.job SET started_on = now() - interval '2 minutes'")
        assert one(conn, "SELECT pgtrickle._reclaim_jobs(0, 10)") == 1
        assert state(conn, job) == "retry" and complete(worker, mine) == []


def test_a_hand_that_reclaims_for_ever_meets_the_ceiling(conn: Conn) -> None:
    job = enqueue(conn, retry_limit=2, dead_letter="dead")
    for _ in range(3):
        assert ids(lease(conn)) == [job]
        conn.execute("UPDATE pgtrickle.job SET state = 'retry' WHERE state = 'active'")
    assert lease(conn) == [] and state(conn, job) == "failed"
    assert len(lease(conn, queues=("dead",))) == 1


def test_one_of_a_singleton_key_at_a_time(conn: Conn) -> None:
    job = enqueue(conn, singleton_key="k")
    assert enqueue(conn, singleton_key="k") == 0
    assert enqueue(conn, "other", singleton_key="k")
    [mine] = lease(conn)
    assert enqueue(conn, singleton_key="k") == 0
    fail(conn, mine, final=True)
    again = enqueue(conn, singleton_key="k")
    assert again
    with pytest.raises(ObjectNotInPrerequisiteState, match="singleton key"):
        conn.execute("SELECT pgtrickle.retry_job(%s)", (job,))
    complete(conn, *lease(conn))
    assert one(conn, "SELECT pgtrickle.retry_job(%s)", job)


def test_a_dead_letter_says_where_it_came_from_and_goes_back(conn: Conn) -> None:
    job = enqueue(conn, data=Jsonb([1, 2]), dead_letter="dead", singleton_key="k", retry_limit=0)
    fail(conn, *lease(conn))
    row = conn.execute("SELECT data, source_name, source_id, output FROM pgtrickle.job WHERE name = 'dead'").fetchone()
    assert row == ([1, 2], "q", job, {"error": "no"})
    assert enqueue(conn, singleton_key="k"), "its key is free, and stays in nobody's way"
    assert one(conn, "SELECT pgtrickle.redrive('dead')") == 1
    assert one(conn, "SELECT pgtrickle.redrive('dead')") == 0
    taken = lease(conn)
    assert len(taken) == 2
    fail(conn, *taken[1:])
    assert one(conn, "SELECT pgtrickle.redrive('dead', 'elsewhere')") == 1
    assert len(lease(conn, queues=("elsewhere",))) == 1


def test_cancelling(conn: Conn) -> None:
    waiting, running = enqueue(conn), enqueue(conn, priority=1)
    [mine] = lease(conn, 1)
    assert mine[0] == running
    assert one(conn, "SELECT pgtrickle.cancel_job(%s)", waiting) and state(conn, waiting) == "cancelled"
    assert one(conn, "SELECT pgtrickle.cancel_job(%s)", running) and state(conn, running) == "active"
    row = conn.execute("SELECT * FROM pgtrickle._held_jobs(%s, %s)", columns([mine])).fetchone()
    assert row == (running, True)
    fail(conn, mine)
    assert state(conn, running) == "cancelled" and lease(conn) == []
    assert not one(conn, "SELECT pgtrickle.cancel_job(%s)", running)


def test_no_acknowledgement_waits_for_who_cancels(db: Database, conn: Conn) -> None:
    plain, keyed = enqueue(conn), enqueue(conn, ordering_key="a")
    parked = enqueue(conn, ordering_key="a")
    found = lease(conn)
    assert ids(found) == [plain, keyed]
    with db.connect(autocommit=False) as writer:
        for job in (plain, keyed, parked):
            assert one(writer, "SELECT pgtrickle.cancel_job(%s)", job)
        conn.execute("SET lock_timeout = '10s'")
        assert complete(conn, found[0]) == [plain] and fail(conn, found[1]) == [keyed]
        writer.commit()
    assert state(conn, keyed) == "retry" and lease(conn) == []
    assert {state(conn, job) for job in (keyed, parked)} == {"cancelled"}
    conn.execute("SELECT pgtrickle._prune_jobs(1)")
    assert one(conn, "SELECT count(*) FROM pgtrickle.job_cancel_requests") == 0


def test_what_is_handed_back_and_was_cancelled_is_over(conn: Conn) -> None:
    job = enqueue(conn)
    [mine] = lease(conn)
    assert one(conn, "SELECT pgtrickle.cancel_job(%s)", job) and one(conn, "SELECT pgtrickle.cancel_job(%s)", job)
    assert release(conn, mine) == [job] and state(conn, job) == "cancelled"
    assert one(conn, "SELECT pgtrickle.retry_job(%s)", job)
    assert complete(conn, *lease(conn)) == [job]


def test_what_ended_goes_when_its_time_is_over(conn: Conn) -> None:
    for _ in range(5):
        enqueue(conn)
    enqueue(conn, keep_for="0")
    complete(conn, *lease(conn))
    assert one(conn, "SELECT pgtrickle._prune_jobs(10)") == 1
    conn.execute("UPDATE pgtrickle.job SET keep_until = now() - interval '1 second'")
    assert [one(conn, "SELECT pgtrickle._prune_jobs(3)") for _ in range(3)] == [3, 2, 0]


def test_a_claim_reads_what_it_gives_however_many_wait(conn: Conn) -> None:
    conn.execute("SELECT pgtrickle.enqueue_many('q', array_fill('1'::jsonb, ARRAY[20000]))")
    conn.execute("SELECT pgtrickle.enqueue_many('q', array_fill('1'::jsonb, ARRAY[5000]), start_after => '2999-01-01')")
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'job'"
    for turn in range(8):
        with conn.transaction():
            before = one(conn, read)
            found = lease(conn, 10)
            complete(conn, *found)
            assert len(found) == 10 and one(conn, read) - before <= 200, f"turn {turn}"
        if turn == 5:
            conn.execute("ANALYZE pgtrickle.job")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pgtrickle._complete_jobs(%(ids)s, %(epochs)s, array_fill(NULL::jsonb, ARRAY[5]))",
        "SELECT pgtrickle._fail_jobs(%(ids)s, %(epochs)s, array_fill('1'::jsonb, ARRAY[5]), '{t,f,f,f,f}')",
        "SELECT pgtrickle._release_jobs(%(ids)s, %(epochs)s)",
        "SELECT pgtrickle._progress_jobs(%(ids)s, %(epochs)s, array_fill('1'::jsonb, ARRAY[5]))",
        "SELECT pgtrickle._held_jobs(%(ids)s, %(epochs)s)",
    ],
)
@pytest.mark.parametrize("is_analysed", [False, True])
def test_an_answer_reads_its_own_jobs_however_many_are_active(conn: Conn, statement: str, is_analysed: bool) -> None:
    conn.execute("SELECT pgtrickle.enqueue_many('q', array_fill('{}'::jsonb, ARRAY[500]))")
    if is_analysed:
        conn.execute("ANALYZE pgtrickle.job")  # for which none is active
    lease(conn, most=495, worker=WORKER + 1)
    mine, epochs = columns(lease(conn, most=5))
    with conn.transaction():
        conn.execute(statement.encode(), {"ids": mine, "epochs": epochs})
        assert one(conn, "SELECT pg_stat_get_xact_numscans('pgtrickle.job_active_idx'::regclass)") == 0


def test_nobody_gets_what_another_has(db: Database, conn: Conn) -> None:
    conn.execute("SELECT pgtrickle.enqueue_many('q', array_fill('1'::jsonb, ARRAY[600]))")
    taken: list[Lease] = []

    def work(number: int) -> None:
        with db.connect() as mine:
            while found := lease(mine, 7, worker=number):
                taken.extend(found)
                assert len(complete(mine, *found)) == len(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(ids(taken))) == 600


def test_of_a_key_one_at_a_time_in_order(conn: Conn) -> None:
    a = [enqueue(conn, ordering_key="a") for _ in range(3)]
    b, free = enqueue(conn, ordering_key="b"), enqueue(conn)
    found = lease(conn, 10)
    assert ids(found) == [a[0], b, free]
    assert lease(conn) == []
    complete(conn, found[0])
    [second] = lease(conn)
    assert second[0] == a[1]
    fail(conn, second, at_once=False)
    assert lease(conn) == [], "one that is to be tried again holds up those after it"
    conn.execute("UPDATE pgtrickle.job SET start_after = now() WHERE NOT is_ready AND NOT is_parked")
    conn.execute("SELECT pgtrickle._due_jobs(10)")
    [second] = lease(conn)
    assert second[0] == a[1]
    release(conn, second)
    [second] = lease(conn)
    fail(conn, second, final=True)
    assert ids(lease(conn)) == [a[2]]


def test_a_long_queue_of_one_key_hides_nobody_else(conn: Conn) -> None:
    conn.execute("SELECT pgtrickle.enqueue_many('q', array_fill('1'::jsonb, ARRAY[3000]), ordering_key => 'a')")
    [first] = lease(conn, 1)
    last = enqueue(conn)
    assert ids(lease(conn, 1)) == [last]
    complete(conn, first)
    assert ids(lease(conn, 1)) == [first[0] + 1]


def test_cancelled_ones_of_a_key_end_when_their_turn_comes(conn: Conn) -> None:
    first, second, third = (enqueue(conn, ordering_key="a") for _ in range(3))
    mine = lease(conn)
    assert ids(mine) == [first]
    assert one(conn, "SELECT pgtrickle.cancel_job(%s)", second) and state(conn, second) == "created"
    complete(conn, *mine)
    assert ids(lease(conn)) == [third]
    assert state(conn, second) == "cancelled"


def test_one_that_commits_late_is_not_stranded(db: Database, conn: Conn) -> None:
    with db.connect(autocommit=False) as late:
        early = enqueue(late, ordering_key="a")
        later = enqueue(conn, ordering_key="a")
        mine = lease(conn)
        assert ids(mine) == [later]
        late.commit()
    assert lease(conn) == []
    fail(conn, *mine)
    mine = lease(conn)
    assert ids(mine) == [early]
    complete(conn, *mine)
    assert ids(lease(conn)) == [later]


def test_what_a_hand_stranded_is_taken_up(conn: Conn) -> None:
    first, second = enqueue(conn, ordering_key="a"), enqueue(conn, ordering_key="a")
    assert ids(lease(conn)) == [first]
    conn.execute("DELETE FROM pgtrickle.job WHERE id = %s", (first,))
    assert lease(conn) == []
    assert one(conn, "SELECT pgtrickle._settle_jobs()") == 1
    assert ids(lease(conn)) == [second]


def test_workers_that_meet_at_the_same_keys(db: Database, conn: Conn) -> None:
    """Enqueuers that commit late, and workers that complete, fail and hand back, all at once."""
    done = threading.Event()
    order: dict[str, list[int]] = {key: [] for key in "abc"}
    failures: list[BaseException] = []

    def guarded(work: Callable[[Conn, int], None], number: int) -> threading.Thread:
        def run() -> None:
            try:
                with db.connect() as mine:
                    work(mine, number)
            except BaseException as error:
                failures.append(error)

        return threading.Thread(target=run)

    def put(mine: Conn, number: int) -> None:
        for turn in range(30):
            with mine.transaction():
                enqueue(mine, ordering_key="abc"[(turn + number) % 3], retry_limit=9)
                enqueue(mine, ordering_key="abc"[turn % 3], retry_limit=9)

    def work(mine: Conn, number: int) -> None:
        turn = 0
        while True:
            ended = done.is_set()
            found = lease(mine, 4, worker=number)
            if not found and ended and not one(mine, "SELECT count(*) FROM pgtrickle.job WHERE state <> 'completed'"):
                return
            for job in found:
                turn += 1
                key = one(mine, "SELECT ordering_key FROM pgtrickle.job WHERE id = %s", job[0])
                if turn % 5 == number % 5:
                    assert fail(mine, job) == [job[0]]
                elif turn % 7 == 3:
                    assert release(mine, job) == [job[0]]
                else:
                    order[key].append(job[0])
                    assert complete(mine, job) == [job[0]]

    putters = [guarded(put, number) for number in range(2)]
    workers = [guarded(work, number) for number in (1, 2, 3)]
    for thread in (*putters, *workers):
        thread.start()
    for thread in putters:
        thread.join()
    done.set()
    for thread in workers:
        thread.join()
    assert not failures
    assert sorted(job for jobs in order.values() for job in jobs) == list(range(1, 121))


def test_only_who_sleeps_is_called(db: Database, conn: Conn) -> None:
    bell = one(conn, "SELECT hashtext('q') & 127")
    with db.connect() as runner:
        runner.execute("LISTEN pgtrickle_job")
        enqueue(conn)
        assert list(runner.notifies(timeout=0, stop_after=1)) == []
        runner.execute("SELECT pg_advisory_lock(pgtrickle._job_bell_class(), %s)", (bell,))
        with conn.transaction():
            enqueue(conn)
            enqueue(conn)
        [notice] = runner.notifies(timeout=30, stop_after=1)
        assert notice.payload == str(bell)
        enqueue(conn, "another")
        runner.execute("SELECT pg_advisory_unlock(pgtrickle._job_bell_class(), %s)", (bell,))
        conn.execute("SELECT pgtrickle.enqueue_many('q', '{1,2}')")
        runner.execute("SELECT 1")
        assert list(runner.notifies(timeout=0, stop_after=1)) == []


def test_a_role_may_enqueue_and_nothing_else(db: Database, conn: Conn) -> None:
    role = db.create_role("app")
    conn.execute("SELECT pgtrickle.grant_enqueue(%s)", (role,))
    with db.connect_as(role) as app:
        assert enqueue(app)
        assert one(app, "SELECT pgtrickle.enqueue_many('q', '{1,2}')") == 2
        for refused in ("SELECT * FROM pgtrickle.job", "SELECT pgtrickle.cancel_job(1)", "DELETE FROM pgtrickle.job"):
            with pytest.raises(InsufficientPrivilege):
                app.execute(refused.encode())
    assert len(lease(conn)) == 3


def test_queues_at_a_glance(conn: Conn) -> None:
    enqueue(conn)
    enqueue(conn, start_after="2999-01-01")
    complete(conn, *lease(conn))
    enqueue(conn)
    rows = conn.execute("SELECT queue, ready, waiting, active, completed FROM pgtrickle.queue_status()").fetchall()
    assert rows == [("q", 1, 1, 0, 1)]


@pytest.mark.parametrize(
    "options",
    [{"expire_in": "0"}, {"retry_limit": -1}, {"retry_delay": "-1 s"}, {"dead_letter": "q"}],
)
def test_bad_input(conn: Conn, options: dict[str, object]) -> None:
    with pytest.raises(CheckViolation):
        enqueue(conn, **options)
