"""The outbox of a stream table tells what each refresh changed: who applies its messages in order has the stream table.

Lies it would catch: a message of a refresh that was rolled back, a full refresh that tells everything again, a
change of hidden columns that shows, a large delta that is cut.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import DuplicateObject, FeatureNotSupported, InvalidParameterValue, UndefinedObject, UndefinedTable
from support.databases import Database

from trickle import connect

Conn = psycopg.Connection[Any]


@pytest.fixture
def shop(db: Database) -> Iterator[Conn]:
    with db.connect() as conn:
        conn.execute(
            "CREATE TABLE orders (id serial PRIMARY KEY, customer_id int NOT NULL, amount numeric(10,2) NOT NULL)"
        )
        conn.execute("INSERT INTO orders (customer_id, amount) SELECT i % 5, i FROM generate_series(1, 20) i")
        yield conn


def create(db: Database, name: str, query: str, mode: str = "DIFFERENTIAL") -> None:
    with connect(db.url) as client:
        client.create_stream_table(name, query, refresh_mode=mode)


def refresh(conn: Conn, name: str = "orders_agg") -> None:
    conn.execute("SELECT pgtrickle.refresh_stream_table(%s)", (name,))


def one(conn: Conn, question: str, *values: object) -> Any:
    row = conn.execute(question.encode(), values).fetchone()
    return row[0] if row else None


AGG = "SELECT customer_id, sum(amount) AS total, count(*) AS cnt FROM orders GROUP BY customer_id"


@pytest.fixture
def told(db: Database, shop: Conn) -> Conn:
    create(db, "orders_agg", AGG)
    shop.execute("SELECT pgtrickle.enable_outbox('public.orders_agg', retention_hours => 48)")
    return shop


def messages(conn: Conn) -> list[tuple[Any, ...]]:
    return conn.execute(
        "SELECT outbox_id, inserted_count, deleted_count, payload FROM pgtrickle.pgt_outbox_orders_agg ORDER BY 1"
    ).fetchall()


def test_a_message_tells_what_came_and_what_went(told: Conn) -> None:
    refresh(told)
    assert messages(told) == [], "nothing has changed since it was filled"
    told.execute("INSERT INTO orders (customer_id, amount) VALUES (3, 0.50), (9, 1)")
    refresh(told)
    ((_, came, went, payload),) = messages(told)
    assert (came, went) == (2, 1)
    assert payload["v"] == 1
    assert payload["deleted"] == [{"customer_id": 3, "total": 42.00, "cnt": 4}]
    assert sorted(payload["inserted"], key=lambda row: row["customer_id"]) == [
        {"customer_id": 3, "total": 42.50, "cnt": 5},
        {"customer_id": 9, "total": 1.00, "cnt": 1},
    ]


def test_a_refresh_that_is_rolled_back_tells_nothing(told: Conn) -> None:
    told.execute("INSERT INTO orders (customer_id, amount) VALUES (3, 1)")
    with pytest.raises(ZeroDivisionError), told.transaction():
        refresh(told)
        raise ZeroDivisionError
    assert messages(told) == []
    with told.transaction():
        refresh(told)
        told.execute("INSERT INTO orders (customer_id, amount) VALUES (4, 1)")
        refresh(told)
    assert [(came, went) for _, came, went, _ in messages(told)] == [(1, 1), (1, 1)]


@pytest.mark.parametrize("mode", ["DIFFERENTIAL", "FULL"])
@pytest.mark.parametrize(
    "query",
    [
        AGG,
        "SELECT amount FROM orders WHERE amount > 5",
        "SELECT customer_id, avg(amount) AS mean, json_agg(amount ORDER BY id) AS all FROM orders GROUP BY customer_id",
        "SELECT o.customer_id, p.amount FROM orders o JOIN orders p ON o.customer_id = p.customer_id AND o.id < p.id",
    ],
)
def test_who_applies_the_messages_has_the_stream_table(db: Database, shop: Conn, query: str, mode: str) -> None:
    create(db, "st", query, mode)
    hidden = [name for (name,) in shop.execute("SELECT column_name FROM pgtrickle.list_auxiliary_columns('st')")]
    shown = "SELECT (to_jsonb(s) - %s::text[])::text FROM st s"
    copy = Counter(json.dumps(json.loads(text), sort_keys=True) for (text,) in shop.execute(shown, (hidden,)))
    shop.execute("SELECT pgtrickle.set_config('outbox_inline_threshold_rows', '40')")
    shop.execute("SELECT pgtrickle.enable_outbox('st')")
    chance = random.Random(7)
    for _ in range(6):
        for _ in range(chance.randint(1, 12)):
            match chance.randrange(3):
                case 0:
                    shop.execute(
                        "INSERT INTO orders (customer_id, amount) VALUES (%s, %s)",
                        (chance.randrange(6), chance.randrange(20)),
                    )
                case 1:
                    shop.execute("DELETE FROM orders WHERE id = %s", (chance.randrange(40),))
                case _:
                    shop.execute(
                        "UPDATE orders SET customer_id = %s WHERE id = %s", (chance.randrange(6), chance.randrange(40))
                    )
        refresh(shop, "st")
    rows = shop.execute(
        "SELECT id, CASE WHEN is_claim_check THEN (SELECT jsonb_build_object("
        " 'inserted', coalesce(jsonb_agg(row_data) FILTER (WHERE row_op = 'INSERT'), '[]'),"
        " 'deleted', coalesce(jsonb_agg(row_data) FILTER (WHERE row_op = 'DELETE'), '[]'))"
        " FROM pgtrickle.outbox_delta_rows_st d WHERE d.outbox_id = o.id) ELSE payload END"
        " FROM pgtrickle.outbox_st o ORDER BY id"
    ).fetchall()
    assert rows
    for _, payload in rows:
        copy.subtract(json.dumps(row, sort_keys=True) for row in payload["deleted"])
        copy.update(json.dumps(row, sort_keys=True) for row in payload["inserted"])
    now = Counter(json.dumps(json.loads(text), sort_keys=True) for (text,) in shop.execute(shown, (hidden,)))
    assert +copy == now and not -copy


def test_a_large_delta_is_kept_as_rows(told: Conn) -> None:
    told.execute("SELECT pgtrickle.set_config('outbox_inline_threshold_rows', '3')")
    told.execute("UPDATE orders SET amount = amount + 1 WHERE customer_id < 2")
    refresh(told)
    box = told.execute("SELECT is_claim_check, payload, inserted_count, deleted_count FROM pgtrickle.outbox_orders_agg")
    assert box.fetchall() == [(True, None, 2, 2)]
    rows = told.execute(
        "SELECT row_op, row_data FROM pgtrickle.outbox_delta_rows_orders_agg ORDER BY row_num"
    ).fetchall()
    assert [op for op, _ in rows] == ["DELETE", "DELETE", "INSERT", "INSERT"]
    assert set(rows[0][1]) == {"customer_id", "total", "cnt"}
    told.execute(
        "SELECT pgtrickle.outbox_rows_consumed('orders_agg', (SELECT max(id) FROM pgtrickle.outbox_orders_agg))"
    )
    assert one(told, "SELECT count(*) FROM pgtrickle.outbox_delta_rows_orders_agg") == 0


def test_an_altered_query_goes_on_telling(db: Database, told: Conn) -> None:
    with connect(db.url) as client:
        client.alter_stream_table(
            "orders_agg", query="SELECT customer_id, max(amount) AS most FROM orders GROUP BY customer_id"
        )
    (*_, (_, came, went, payload)) = messages(told)
    assert (came, went, payload["reset"], payload["deleted"]) == (5, 0, True, [])
    told.execute("INSERT INTO orders (customer_id, amount) VALUES (3, 100)")
    refresh(told)
    assert messages(told)[-1][3]["inserted"] == [{"customer_id": 3, "most": 100.00}]


def test_its_status_and_its_end(told: Conn) -> None:
    told.execute("INSERT INTO orders (customer_id, amount) VALUES (3, 1)")
    refresh(told)
    status = one(told, "SELECT pgtrickle.outbox_status('orders_agg')")
    assert (status["enabled"], status["row_count"], status["retention_hours"]) == (True, 1, 48)
    assert status["outbox_table"] == "pgtrickle.outbox_orders_agg"
    told.execute("SELECT pgtrickle.create_consumer_group('g', 'orders_agg')")
    told.execute("SELECT pgtrickle.disable_outbox('orders_agg')")
    assert one(told, "SELECT pgtrickle.outbox_status('orders_agg')") == {"enabled": False, "stream_table": "orders_agg"}
    assert one(told, "SELECT to_regclass('pgtrickle.outbox_orders_agg')") is None
    assert one(told, "SELECT count(*) FROM pgtrickle.pgt_consumer_groups") == 0
    told.execute("SELECT pgtrickle.disable_outbox('orders_agg', if_exists => true)")
    assert one(told, "SELECT count(*) FROM pgtrickle.pgt_change_tracking") == 1, "its own capture has gone"
    told.execute("SELECT pgtrickle.enable_outbox('orders_agg')")
    told.execute("SELECT pgtrickle.drop_stream_table('orders_agg')")
    assert one(told, "SELECT to_regclass('pgtrickle.outbox_orders_agg')") is None


def test_two_that_would_share_a_name(db: Database, shop: Conn) -> None:
    shop.execute("CREATE SCHEMA other")
    long = "a" * 60
    for name in ("public.st", "other.st", long, f"other.{long}"):
        create(db, name, AGG)
        shop.execute("SELECT pgtrickle.enable_outbox(%s)", (name,))
    shop.execute("INSERT INTO orders (customer_id, amount) VALUES (3, 1)")
    for name in ("public.st", "other.st", long, f"other.{long}"):
        refresh(shop, name)
        assert one(shop, "SELECT pgtrickle.outbox_status(%s)", name)["row_count"] == 1


def test_bad_input(db: Database, told: Conn) -> None:
    with pytest.raises(DuplicateObject, match="already enabled"):
        told.execute("SELECT pgtrickle.enable_outbox('orders_agg')")
    with pytest.raises(UndefinedTable):
        told.execute("SELECT pgtrickle.enable_outbox('nowhere')")
    with pytest.raises(UndefinedObject, match="outbox not found"):
        told.execute("SELECT pgtrickle.disable_outbox('nowhere')")
    create(db, "now", "SELECT id FROM orders", "IMMEDIATE")
    with pytest.raises(FeatureNotSupported, match="is IMMEDIATE"):
        told.execute("SELECT pgtrickle.enable_outbox('now')")
    create(db, "other", "SELECT id FROM orders")
    with pytest.raises(InvalidParameterValue, match="retention_hours"):
        told.execute("SELECT pgtrickle.enable_outbox('other', 0)")
