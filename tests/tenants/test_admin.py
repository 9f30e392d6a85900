"""What operators ask: over HTTP with a token, and from a shell. Why does a tenant not run?"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from support.databases import Database
from support.runners import await_that
from support.supervising import Supervised, supervised
from tenants.conftest import Conn

import trickle
from trickle.errors import ConfigurationError, NotFound
from trickle.tenants import Budget, Tenant
from trickle.tenants.admin import AdminServer
from trickle.tenants.diagnosis import diagnose

TOKEN = "0123456789abcdef-token"


def served(running: Supervised, token: str = TOKEN, port: int = 0) -> AdminServer:
    async def work(supervisor: Any) -> AdminServer:
        await asyncio.sleep(0)
        return AdminServer("127.0.0.1", port, token, supervisor)

    return running.do(work)


def ask(port: int, path: str, method: str = "GET", token: str | None = TOKEN) -> tuple[int, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_over_http(db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]) -> None:
    odd = Tenant("a/b c?", db.url, "jobs_t0")
    with supervised(db.url, lambda: [odd, *tenants[1:]], handlers) as running:
        await_that(lambda: running.metric("supervisor_tenants") == 5)
        admin = served(running)
        try:
            port = admin.port
            assert ask(port, "/hot") == (200, [])
            assert "nothing to do" in ask(port, "/explain/t1")[1]["why"]
            status, found = ask(port, "/promote/a%2Fb%20c%3F", "POST")
            assert status == 200 and "it is hot" in found["why"]
            assert [one["id"] for one in ask(port, "/hot")[1]] == [odd.id]
            assert ask(port, "/demote/a%2Fb%20c%3F", "POST")[0] == 200
            await_that(lambda: ask(port, "/hot") == (200, []))
            assert ask(port, "/promote/nobody", "POST")[0] == 404
            for wrong in (("/promote/t1", "GET"), ("/hot", "POST"), ("/", "GET"), ("/promote/", "POST")):
                assert ask(port, *wrong)[0] == 404
            for token in (None, "", "wrong", TOKEN + "x", TOKEN[:-1]):
                assert ask(port, "/hot", token=token)[0] == 401
                assert ask(port, "/promote/t1", "POST", token=token)[0] == 401
            assert running.hot() == set()
            with pytest.raises(ConfigurationError, match="cannot serve"):
                served(running, port=port)
        finally:
            admin.close()


def test_a_short_token_is_refused(db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]) -> None:
    with (
        supervised(db.url, lambda: tenants, handlers) as running,
        pytest.raises(ConfigurationError, match="fewer than 16 characters"),
    ):
        served(running, token="short")


def test_why_it_is_not_hot_here(db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]) -> None:
    conn.execute("DROP SCHEMA jobs_t4 CASCADE")
    options: dict[str, Any] = {"budget": Budget(hot_pool_max=1), "turn_seconds": 600.0}
    with supervised(db.url, lambda: tenants, handlers, **options) as running:
        await_that(lambda: running.metric("supervisor_tenants") == 5)
        explain = running.ask
        assert "not listed" in explain(lambda s: s.explain("nobody"))
        await_that(lambda: "could not be looked at" in explain(lambda s: s.explain("t4")))
        trickle.enqueue(conn, "q", {"tenantId": "t0", "seconds": 60}, schema="jobs_t0")
        await_that(lambda: "it is hot" in explain(lambda s: s.explain("t0")))
        trickle.enqueue(conn, "q", {"tenantId": "t1"}, schema="jobs_t1")
        await_that(lambda: "waits for a place: 1 of 1" in explain(lambda s: s.explain("t1")))
        running.end(graceful=False)


def test_diagnosis_from_the_home_database(db: Database, conn: Conn, tenants: list[Tenant], handlers: list[str]) -> None:
    for tenant in tenants:
        conn.execute(
            "INSERT INTO pgtrickle.tenants (tenant_id, schema_name) VALUES (%s, %s)", (tenant.id, tenant.schema)
        )
    conn.execute("UPDATE pgtrickle.tenants SET is_suspended = true WHERE tenant_id = 't4'")
    conn.execute("UPDATE pgtrickle.tenants SET url = 'postgresql://u@127.0.0.1:1/x' WHERE tenant_id = 't3'")

    def why(tenant: str) -> str:
        return diagnose(conn, db.url, "default", tenant)

    with pytest.raises(NotFound, match="no tenant 'nobody'"):
        why("nobody")
    assert "suspended" in why("t4")
    assert "cannot be asked" in why("t3")
    assert "nothing to do" in why("t0")
    trickle.enqueue(conn, "q", {"tenantId": "t0"}, schema="jobs_t0", start_after="2999-01-01")
    assert "next is due in" in why("t0")
    trickle.enqueue(conn, "q", {"tenantId": "t0"}, schema="jobs_t0")
    assert "no supervisor of group 'default' is running" in why("t0")
    with supervised(db.url, lambda: tenants[:3], handlers):
        await_that(lambda: "It is hot since" in why("t0"))
