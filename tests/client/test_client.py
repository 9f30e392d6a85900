"""The Python API against a real server: what it returns, what it raises, what it leaves behind."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from support.databases import Database

import trickle
from trickle import errors

TOTALS = "SELECT customer, sum(amount) AS total, count(*) AS cnt FROM orders GROUP BY customer"


def rows(client: trickle.Client, query: str) -> list[Any]:
    return client.connection.execute(query).fetchall()


def sqlstate(error: BaseException) -> str | None:
    assert isinstance(error.__cause__, psycopg.Error)
    return error.__cause__.sqlstate


def leftovers(client: trickle.Client) -> list[Any]:
    """Everything that a stream table consists of, in the whole database."""
    return rows(
        client,
        "SELECT 'row', pgt_name FROM pgtrickle.pgt_stream_tables"
        " UNION ALL SELECT 'storage', relname FROM pg_class WHERE relname IN ('totals', 'broken')"
        " UNION ALL SELECT 'program', relname FROM pg_class"
        " WHERE relnamespace = 'pgtrickle_programs'::regnamespace"
        " UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE tgname LIKE '%pgt%'",
    )


def test_create_fills_and_reports(client: trickle.Client) -> None:
    status = client.create_stream_table("totals", TOTALS, schedule="1s")
    assert (status.name, status.status, status.is_populated) == ("public.totals", "ACTIVE", True)
    assert (status.schedule, status.refresh_mode, status.instance_id) == ("1s", "DIFFERENTIAL", None)
    assert status.program_state in ("compiled", "full_only")
    assert rows(client, "SELECT customer, total, cnt FROM totals ORDER BY 1") == [
        (0, 18, 3),
        (1, 12, 3),
        (2, 15, 3),
    ]


def test_create_without_filling(client: trickle.Client) -> None:
    status = client.create_stream_table("totals", TOTALS, initialize=False)
    assert not status.is_populated
    assert rows(client, "SELECT * FROM totals") == []
    client.refresh_stream_table("totals")
    assert client.status("totals").is_populated


@pytest.mark.parametrize(
    ("query", "state"),
    [
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT no_such FROM orders", "42703"),
        ("SELECT FROM FROM", "42601"),
        ("SELECT id FROM orders LIMIT 3", "0A000"),
        ("SELECT relname FROM pg_class", "0A000"),
        ("SELECT id / 0 AS broken FROM orders", "22012"),
    ],
)
def test_a_bad_query_is_refused_and_nothing_is_left(client: trickle.Client, query: str, state: str) -> None:
    with pytest.raises(errors.DefinitionError) as caught:
        client.create_stream_table("broken", query)
    assert sqlstate(caught.value) == state
    assert leftovers(client) == []


def test_a_bad_schedule_is_refused(client: trickle.Client) -> None:
    with pytest.raises(errors.DefinitionError) as caught:
        client.create_stream_table("broken", TOTALS, schedule="now and then")
    assert sqlstate(caught.value) == "22023"
    assert leftovers(client) == []


def test_a_name_that_is_taken_is_refused_and_kept(totals: trickle.Client) -> None:
    with pytest.raises(errors.DefinitionError) as caught:
        totals.create_stream_table("totals", "SELECT id FROM orders")
    assert sqlstate(caught.value) == "42P07"
    assert totals.verify("totals").equal


def test_an_unknown_option_is_named(client: trickle.Client) -> None:
    with pytest.raises(errors.DefinitionError, match="sparkle"):
        client.create_stream_table("totals", TOTALS, sparkle=True)


def test_an_unknown_function_in_the_query_is_not_taken_for_an_option(client: trickle.Client) -> None:
    with pytest.raises(errors.DefinitionError, match="no_such_function") as caught:
        client.create_stream_table("totals", "SELECT id,\n no_such_function(id) AS x FROM orders")
    assert sqlstate(caught.value) == "42883"
    assert caught.value.__notes__ == [" no_such_function(id) AS x FROM orders\n ^"]


def test_if_not_exists_keeps_and_or_replace_changes(totals: trickle.Client) -> None:
    narrower = "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer"
    kept = totals.create_stream_table_if_not_exists("totals", narrower, schedule="9s")
    assert kept.schedule == "1s"
    changed = totals.create_or_replace_stream_table("totals", narrower, schedule="9s")
    assert (changed.schedule, changed.is_populated) == ("9s", True)
    assert rows(totals, "SELECT customer, total FROM totals ORDER BY 1") == [(0, 18), (1, 12), (2, 15)]
    assert totals.create_or_replace_stream_table("others", narrower).is_populated


def test_refresh_says_what_it_did(totals: trickle.Client) -> None:
    assert totals.refresh_stream_table("totals").action == "NO_DATA"
    totals.connection.execute("INSERT INTO orders VALUES (10, 1, 100), (11, 7, 1)")
    outcome = totals.refresh_stream_table("totals")
    assert outcome.action in ("DIFFERENTIAL", "FULL")
    assert outcome.rows_inserted >= 1
    assert rows(totals, "SELECT total FROM totals WHERE customer IN (1, 7) ORDER BY 1") == [(1,), (112,)]
    assert totals.refresh_stream_table("totals", full=True).action == "FULL"


def test_alter(totals: trickle.Client) -> None:
    assert totals.alter_stream_table("totals", schedule="1h").schedule == "1h"
    greatest = "SELECT customer, max(amount) AS total, 1::bigint AS cnt FROM orders GROUP BY customer"
    altered = totals.alter_stream_table("totals", query=greatest)
    assert altered.is_populated
    assert rows(totals, "SELECT total FROM totals ORDER BY 1") == [(7,), (8,), (9,)]
    with pytest.raises(errors.DefinitionError):
        totals.alter_stream_table("totals", tier="lukewarm")


def test_drop(totals: trickle.Client) -> None:
    totals.create_stream_table("above", "SELECT customer FROM totals WHERE cnt > 1")
    with pytest.raises(errors.Yours) as caught:
        totals.drop_stream_table("totals")
    assert "above" in str(caught.value) + str(caught.value.__cause__)
    totals.drop_stream_table("totals", cascade=True)
    assert leftovers(totals) == []


@pytest.mark.parametrize("name", ["nowhere", "orders", "public.nowhere", "no_schema.nowhere", '"No Where"'])
def test_what_is_no_stream_table_is_not_found(totals: trickle.Client, name: str) -> None:
    for call in (totals.status, totals.refresh_stream_table, totals.verify, totals.drop_stream_table):
        with pytest.raises(errors.NotFound):
            call(name)


def test_list_history_and_explain(totals: trickle.Client) -> None:
    totals.create_stream_table("above", "SELECT customer FROM totals WHERE cnt > 1")
    assert [status.name for status in totals.list()] == ["public.above", "public.totals"]
    assert totals.history("totals")[0]["status"] == "COMPLETED"
    explained = totals.explain("totals")
    assert any("orders" in (text or "") for text in explained.values())


def test_explain_query_creates_nothing(client: trickle.Client) -> None:
    explained = client.explain_query(TOTALS)
    assert {"canonical", "algebra", "delta", "program"} <= set(explained)
    assert leftovers(client) == []
    with pytest.raises(errors.DefinitionError):
        client.explain_query("SELECT * FROM nowhere")


def test_without_a_catalog_the_remedy_is_named(empty_db: Database) -> None:
    with trickle.connect(empty_db.url) as client:
        for call in (
            client.list,
            lambda: client.create_stream_table("x", "SELECT 1"),
            lambda: client.status("x"),
        ):
            with pytest.raises(errors.ConfigurationError, match="not installed") as caught:
                call()
            assert "trickle init" in str(caught.value)


def test_a_role_without_rights_is_told_so(db: Database, totals: trickle.Client) -> None:
    clerk = db.create_role()
    with trickle.connect(db.url_as(clerk)) as client, pytest.raises(errors.ConfigurationError) as caught:
        client.refresh_stream_table("totals")
    assert sqlstate(caught.value) == "42501"


def test_a_lost_connection_is_worth_another_try(db: Database, totals: trickle.Client) -> None:
    with db.superuser() as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", (totals.connection.info.backend_pid,))
    with pytest.raises(errors.TryAgain):
        totals.list()
