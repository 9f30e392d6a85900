"""A supervisor makes tenants hot that have something to do, and keeps within its pool.

Lies it would catch: a job of a cold tenant that nobody ever takes up; more hot tenants than there are places; a tenant
that is hot twice; a process that knows, or is connected to, another tenant; a stop that loses a job.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psycopg
import pytest
from support.databases import Database
from support.runners import await_that
from support.supervising import outputs, states, supervised
from tenants.conftest import Conn

import trickle
from trickle.errors import ConfigurationError, NotFound, Refused
from trickle.tenants import Budget, Tenant


def test_a_cold_tenant_is_made_hot_by_a_job(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    trickle.enqueue(conn, "q", {"tenantId": "t0"}, schema="jobs_t0")
    with supervised(db.url, lambda: tenants, handlers) as running:
        await_that(lambda: states(conn, "jobs_t0") == {"completed": 1}, "what had waited is done")
        await_that(lambda: bells(conn) == 4, "the bells of the others are held")
        asked = time.monotonic()
        trickle.enqueue(conn, "q", {"tenantId": "t3"}, schema="jobs_t3")
        await_that(lambda: states(conn, "jobs_t3") == {"completed": 1})
        assert time.monotonic() - asked < 20, "nobody waited for a sweep"
        assert running.hot() == {"t0", "t3"}
        [first], [other] = outputs(conn, "jobs_t0"), outputs(conn, "jobs_t3")
        assert first["pid"] != other["pid"] and (first["tenant"], other["tenant"]) == ("t0", "t3")


def test_there_are_never_more_than_there_are_places(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    for turn in range(3):
        for tenant in tenants:
            trickle.enqueue(conn, "q", {"tenantId": tenant.id, "seconds": 0.1 * turn}, schema=tenant.schema)
    most = 0
    with supervised(db.url, lambda: tenants, handlers, budget=Budget(hot_pool_max=2), least_seconds=0.2) as running:

        def is_done() -> bool:
            nonlocal most
            most = max(most, len(running.ask(lambda s: s.list_hot())))
            return all(states(conn, tenant.schema) == {"completed": 3} for tenant in tenants)

        await_that(is_done, "all are done")
        assert most == 2
        assert running.metric("supervisor_demote_total", reason="eviction") >= 3


def test_a_process_is_connected_to_nothing_of_others(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    """And what it was told is nowhere in the memory of another."""
    secrets = {name: f"password-of-{name}-{os.getpid()}" for name in ("t0", "t1")}
    urls = {name: f"{db.url}&fallback_application_name={secret}" for name, secret in secrets.items()}
    two = [Tenant(name, urls[name], f"jobs_{name}") for name in secrets]
    with supervised(db.url, lambda: two, handlers) as running:
        for name in secrets:
            trickle.enqueue(conn, "q", {"tenantId": name}, schema=f"jobs_{name}")
        await_that(lambda: running.hot() == {"t0", "t1"})
        await_that(lambda: all(states(conn, f"jobs_{name}") == {"completed": 1} for name in secrets))
        for name, other in (("t0", "t1"), ("t1", "t0")):
            pid = outputs(conn, f"jobs_{name}")[0]["pid"]
            assert holds(pid, secrets[name]), "or the search finds nothing anywhere"
            assert not holds(pid, secrets[other])


def bells(conn: Conn) -> int:
    """How many schemas have an armed bell."""
    row = conn.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 128 AND objsubid = 2")
    return int((row.fetchone() or (0,))[0])


def holds(pid: int, text: str) -> bool:
    """Whether a text is in the memory of a process."""
    with Path(f"/proc/{pid}/maps").open(encoding="ascii") as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            start, end = (int(part, 16) for part in span.split("-"))
            if not rights.startswith("rw") or start >= 1 << 63:
                continue
            memory.seek(start)
            try:
                if text.encode() in memory.read(end - start):
                    return True
            except OSError:
                continue
    return False


def test_by_hand(db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]) -> None:
    with supervised(db.url, lambda: tenants, handlers) as running:
        await_that(lambda: running.metric("supervisor_tenants") == 5)
        running.do(lambda s: s.promote("t1", "manual"))
        assert running.hot() == {"t1"}
        assert running.metric("supervisor_promote_total", reason="manual") == 1
        running.do(lambda s: s.promote("t1"))
        running.do(lambda s: s.demote("t1"))
        await_that(lambda: running.ask(lambda s: s.list_hot()) == [])
        with pytest.raises(NotFound, match="nobody"):
            running.do(lambda s: s.promote("nobody"))


def test_enqueue_and_fanout(db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]) -> None:
    with supervised(db.url, lambda: tenants, handlers) as running:
        await_that(lambda: running.metric("supervisor_tenants") == 5)
        assert running.do(lambda s: s.enqueue("t2", "q", {"n": 1}, priority=5))
        await_that(lambda: states(conn, "jobs_t2") == {"completed": 1})
        assert running.metric("supervisor_promote_total", reason="enqueue") == 1
        assert running.do(lambda s: s.fanout("q")) == 5
        await_that(lambda: all(states(conn, t.schema).keys() == {"completed"} for t in tenants))
        assert running.metric("supervisor_promote_total", reason="fanout") == 4
        assert running.metric("supervisor_enqueue_total", queue="q") == 6
        await_that(
            lambda: running.metric("supervisor_job_attempts_total", queue="q", outcome="completed") == 6, "metrics"
        )


def test_a_job_that_names_another_tenant_is_not_begun(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    for payload in ({"tenantId": "t1"}, {}, {"tenantId": "t0"}):
        trickle.enqueue(conn, "q", payload, schema="jobs_t0")
    with supervised(db.url, lambda: tenants, handlers) as running:
        await_that(lambda: states(conn, "jobs_t0") == {"failed": 2, "completed": 1})
        await_that(lambda: running.metric("supervisor_payload_mismatch_total") == 2)
    errors = conn.execute("SELECT output->>'error' FROM jobs_t0.job WHERE state = 'failed' ORDER BY id").fetchall()
    assert all(text.startswith("payload_mismatch") for (text,) in errors)


def test_idle_tenants_are_demoted_and_come_back(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    with supervised(db.url, lambda: tenants, handlers, idle_seconds=0.5) as running:
        for turn in range(1, 4):
            trickle.enqueue(conn, "q", {"tenantId": "t4"}, schema="jobs_t4")
            await_that(lambda turn=turn: states(conn, "jobs_t4") == {"completed": turn})
            await_that(lambda: running.ask(lambda s: s.list_hot()) == [], "it is idle")
        assert running.metric("supervisor_demote_total", reason="idle") == 3


def test_delayed_jobs_and_schedules_of_cold_tenants(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    with supervised(db.url, lambda: tenants, handlers, idle_seconds=0.3) as running:
        await_that(lambda: running.metric("supervisor_tenants") == 5)
        conn.execute(
            "SELECT jobs_t1.enqueue('q', '{\"tenantId\": \"t1\"}', start_after => now() + interval '2 seconds')"
        )
        conn.execute("SELECT jobs_t2.schedule_job('s', '*/2 * * * * *', 'q', '{\"tenantId\": \"t2\"}')")
        await_that(lambda: states(conn, "jobs_t1") == {"completed": 1})
        await_that(lambda: states(conn, "jobs_t2").get("completed", 0) >= 2)


def test_a_process_that_dies_is_an_error_and_its_jobs_are_tried_again(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    trickle.enqueue(conn, "crash", {"tenantId": "t0"}, schema="jobs_t0", retry_limit=1)
    trickle.enqueue(conn, "q", {"tenantId": "t1"}, schema="jobs_t1")
    with supervised(db.url, lambda: tenants, handlers) as running:
        await_that(lambda: states(conn, "jobs_t0") == {"failed": 1}, "both attempts are counted")
        assert states(conn, "jobs_t1") == {"completed": 1}
        assert running.metric("supervisor_demote_total", reason="error") >= 2


def test_a_killed_process_is_replaced(db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]) -> None:
    with supervised(db.url, lambda: tenants, handlers) as running:
        trickle.enqueue(conn, "q", {"tenantId": "t0"}, schema="jobs_t0")
        await_that(lambda: states(conn, "jobs_t0") == {"completed": 1})
        os.kill(outputs(conn, "jobs_t0")[0]["pid"], signal.SIGKILL)
        await_that(lambda: running.hot() == set())
        trickle.enqueue(conn, "q", {"tenantId": "t0"}, schema="jobs_t0")
        await_that(lambda: states(conn, "jobs_t0") == {"completed": 2})


def test_a_graceful_stop_lets_jobs_end(db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]) -> None:
    trickle.enqueue(conn, "q", {"tenantId": "t0", "seconds": 1.0}, schema="jobs_t0")
    with supervised(db.url, lambda: tenants, handlers):
        await_that(lambda: states(conn, "jobs_t0") == {"active": 1})
    assert states(conn, "jobs_t0") == {"completed": 1}


def test_a_stop_at_once_hands_jobs_back(db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]) -> None:
    trickle.enqueue(conn, "q", {"tenantId": "t0", "seconds": 100.0}, schema="jobs_t0")
    with supervised(db.url, lambda: tenants, handlers) as running:
        await_that(lambda: states(conn, "jobs_t0") == {"active": 1})
        running.end(graceful=False)
    assert conn.execute("SELECT state, retry_count, started_on FROM jobs_t0.job").fetchall() == [("created", 0, None)]


def test_tenants_come_go_move_and_are_suspended(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    listed = {tenant.id: tenant for tenant in tenants[:2]}
    with supervised(db.url, lambda: list(listed.values()), handlers, list_seconds=0.1) as running:
        for name in ("t0", "t1"):
            running_when_listed(running, name)
        listed["t2"] = tenants[2]
        running_when_listed(running, "t2")
        del listed["t0"]
        listed["t1"] = Tenant("t1", db.url, "jobs_t1", is_suspended=True)
        listed["t2"] = Tenant("t2", db.url, "jobs_t4")
        await_that(lambda: running.ask(lambda s: s.list_hot()) == [])
        trickle.enqueue(conn, "q", {"tenantId": "t2"}, schema="jobs_t4")
        await_that(lambda: states(conn, "jobs_t4") == {"completed": 1}, "it has moved")
        assert "suspended" in running.ask(lambda s: s.explain("t1"))


def running_when_listed(running: object, name: str) -> None:
    def is_promoted() -> bool:
        try:
            running.do(lambda s: s.promote(name))  # type: ignore[attr-defined]
        except NotFound:
            return False
        return True

    await_that(is_promoted, f"{name} is listed")


def test_two_supervisors_share_and_take_over(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    with supervised(db.url, lambda: tenants, handlers) as first:
        await_that(lambda: first.metric("supervisor_tenants") == 5)
        with supervised(db.url, lambda: tenants, handlers) as other:
            await_that(
                lambda: (first.metric("supervisor_tenants"), other.metric("supervisor_tenants")) in ((3, 2), (2, 3))
            )
            for tenant in tenants:
                trickle.enqueue(conn, "q", {"tenantId": tenant.id}, schema=tenant.schema)
            await_that(lambda: all(states(conn, tenant.schema) == {"completed": 1} for tenant in tenants))
            assert len(first.hot()) + len(other.hot()) == 5 and not first.hot() & other.hot()
        await_that(lambda: first.metric("supervisor_tenants") == 5)
        for tenant in tenants:
            trickle.enqueue(conn, "q", {"tenantId": tenant.id}, schema=tenant.schema)
        await_that(lambda: all(states(conn, tenant.schema) == {"completed": 2} for tenant in tenants))


def test_it_goes_on_while_its_home_is_away(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    with supervised(db.url, lambda: tenants, handlers):
        trickle.enqueue(conn, "q", {"tenantId": "t0"}, schema="jobs_t0")
        await_that(lambda: states(conn, "jobs_t0") == {"completed": 1})
        with db.superuser() as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ 'supervisor'"
                " AND datname = current_database()"
            )
        for name in ("t0", "t1"):
            trickle.enqueue(conn, "q", {"tenantId": name}, schema=f"jobs_{name}")
        await_that(lambda: states(conn, "jobs_t0") == {"completed": 2})
        await_that(lambda: states(conn, "jobs_t1") == {"completed": 1})
        assert outputs(conn, "jobs_t0")[0]["pid"] == outputs(conn, "jobs_t0")[1]["pid"]


def test_a_budget_that_cannot_be_is_refused(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    with (
        pytest.raises(ConfigurationError, match="hot_pool_max"),
        supervised(db.url, lambda: tenants, handlers, budget=Budget(hot_pool_max=5, tenant_pool_max=500)) as it,
    ):
        it._thread.join(30)


def test_handlers_have_connections_to_their_tenant(
    db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]
) -> None:
    trickle.enqueue(conn, "thread", {"tenantId": "t0"}, schema="jobs_t0")
    trickle.enqueue(conn, "coroutine", {"tenantId": "t0"}, schema="jobs_t0")
    with supervised(db.url, lambda: tenants, handlers):
        await_that(lambda: states(conn, "jobs_t0") == {"completed": 2})
    assert outputs(conn, "jobs_t0") == [{"database": db.name}, {"user": "app_owner"}]


def test_no_handlers_at_all_is_said(
    db: Database, conn: Conn, tenants: list[Tenant], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="without handlers"), supervised(db.url, lambda: tenants, []):
        pass
    for name, text in (("broken", "import no_such_module"), ("empty", "")):
        (tmp_path / f"{name}_of_tests.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("no_such_module", "broken_of_tests", "empty_of_tests"):
        with pytest.raises(ConfigurationError, match=module), supervised(db.url, lambda: tenants, [module]) as it:
            it._thread.join(30)


def test_a_home_without_catalog_is_refused(db: Database, server: object, handlers: list[str]) -> None:
    with psycopg.connect(db.superuser_url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA pgtrickle CASCADE")
    with pytest.raises(Refused, match="catalog"), supervised(db.url, list, handlers) as it:
        it._thread.join(30)
