"""`verify` tells equal from different, at one snapshot, while others write and refresh."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from support.databases import Database

import trickle
from trickle.errors import TrickleError


def tamper(client: trickle.Client, name: str, statement: str) -> None:
    """Change the storage behind the guard, as a defect would."""
    with client.connection.transaction():
        client.connection.execute(
            "SELECT set_config('pg_trickle.refreshing', pgt_id::text, true)"
            "  FROM pgtrickle.pgt_stream_tables WHERE pgt_name = %s",
            (name,),
        )
        client.connection.execute(statement.encode())


def test_equal(totals: trickle.Client) -> None:
    totals.connection.execute("UPDATE orders SET amount = amount + 1")
    result = totals.verify("totals")
    assert result == trickle.VerifyResult("public.totals", True, 0, 0, False)


@pytest.mark.parametrize(
    ("statement", "missing", "extra"),
    [
        ("DELETE FROM totals WHERE customer = 0", 1, 0),
        ("UPDATE totals SET customer = 99 WHERE customer = 0", 1, 1),
        ("UPDATE totals SET total = total + 1", 3, 3),
    ],
)
def test_different(totals: trickle.Client, statement: str, missing: int, extra: int) -> None:
    tamper(totals, "totals", statement)
    result = totals.verify("totals")
    assert (result.equal, result.missing_rows, result.extra_rows) == (False, missing, extra)


def test_odd_names(client: trickle.Client) -> None:
    client.connection.execute('CREATE SCHEMA "Odd Schema"')
    client.connection.execute('CREATE TABLE "Odd Schema"."or""ders" (id int PRIMARY KEY)')
    name = '"Odd Schema"."To ""tals.%s"'
    client.create_stream_table(name, 'SELECT count(*) AS cnt FROM "Odd Schema"."or""ders"')
    assert client.verify(name).equal
    assert client.status(name).name == 'Odd Schema.To "tals.%s'
    client.drop_stream_table(name)


def test_the_connection_is_as_before(totals: trickle.Client) -> None:
    before = totals.connection.isolation_level
    totals.verify("totals")
    with pytest.raises(TrickleError):
        totals.verify("nowhere")
    assert totals.connection.isolation_level == before
    assert totals.connection.execute("SELECT current_setting('pg_trickle.unit', true)").fetchone() in (
        (None,),
        ("",),
    )


def test_while_others_write_and_refresh(db: Database, totals: trickle.Client) -> None:
    stop = threading.Event()
    failures: list[Any] = []

    def write() -> None:
        with db.connect() as session:
            number = 100
            while not stop.is_set():
                number += 1
                session.execute("INSERT INTO orders VALUES (%s, %s, 1)", (number, number % 5))
                session.execute("UPDATE orders SET amount = amount + 1 WHERE id = %s", (number - 3,))

    def refresh() -> None:
        with trickle.connect(db.url) as other:
            while not stop.is_set():
                try:
                    other.refresh_stream_table("totals")
                except TrickleError as error:
                    failures.append(error)

    threads = [threading.Thread(target=work) for work in (write, refresh)]
    for thread in threads:
        thread.start()
    try:
        results = [totals.verify("totals") for _ in range(10)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all(result.equal and not result.pending for result in results)
    assert failures == []
