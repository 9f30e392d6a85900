"""The tables of Nexmark, an auction house as a stream of events, and what happens there between two refreshes.

One event in fifty is a person, three are auctions, the others are bids, in the order of their time. A batch adds events
at the end and, so that every table also loses and changes rows, moves some persons, prolongs some auctions, retracts
some bids and corrects some prices.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

_TABLES = """
CREATE TABLE person (
    id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, city text NOT NULL, state text NOT NULL,
    date_time timestamp NOT NULL, extra text NOT NULL);
CREATE TABLE auction (
    id bigint PRIMARY KEY, item_name text NOT NULL, description text NOT NULL, initial_bid bigint NOT NULL,
    reserve bigint NOT NULL, date_time timestamp NOT NULL, expires timestamp NOT NULL, seller bigint NOT NULL,
    category bigint NOT NULL, extra text NOT NULL);
CREATE TABLE bid (
    auction bigint NOT NULL, bidder bigint NOT NULL, price bigint NOT NULL, channel text NOT NULL, url text NOT NULL,
    date_time timestamp NOT NULL, extra text NOT NULL);
CREATE TABLE side_input (key bigint PRIMARY KEY, value text NOT NULL);
INSERT INTO side_input SELECT i, 'value ' || i FROM generate_series(0, 999) i;
CREATE TABLE nexmark_events (latest bigint NOT NULL);
INSERT INTO nexmark_events VALUES (0);
"""
# Events are numbered; a number decides everything about its event, so that every run has the same ones.
_EVENTS = """
CREATE TEMP TABLE event ON COMMIT DROP AS
SELECT n, n / 50 AS round, n % 50 AS kind, timestamp '2026-01-01' + n * interval '10 milliseconds' AS at,
       hashint8extended(n, 1) AS a, hashint8extended(n, 2) AS b, hashint8extended(n, 3) AS c
FROM nexmark_events, generate_series(latest + 1, latest + {events}) n;
UPDATE nexmark_events SET latest = latest + {events};
INSERT INTO person
SELECT round, 'person ' || abs(a % 1000), 'p' || n || '@example.org',
       (ARRAY['Phoenix', 'Portland', 'Boise', 'Oakland'])[1 + abs(b % 4)],
       (ARRAY['AZ', 'OR', 'ID', 'CA', 'WA', 'WY'])[1 + abs(c % 6)], at, repeat('p', abs(a % 20)::int)
FROM event WHERE kind = 0;
INSERT INTO auction
SELECT round * 3 + kind - 1, 'item ' || abs(a % 500), repeat('d', abs(b % 40)::int), 1 + abs(a % 1000),
       1 + abs(b % 5000), at, at + (1 + abs(c % 30)) * interval '1 second', greatest(round - abs(b % 100), 0),
       10 + abs(a % 5), repeat('a', abs(c % 20)::int)
FROM event WHERE kind BETWEEN 1 AND 3;
INSERT INTO bid
SELECT greatest(round * 3 - abs(a % 40), 0), greatest(round - abs(b % 200), 0),
       (10 ^ (2 + abs(c % 600) / 100.0))::bigint,
       CASE abs(b % 6) WHEN 0 THEN 'Google' WHEN 1 THEN 'Facebook' WHEN 2 THEN 'Baidu' WHEN 3 THEN 'Apple'
                       ELSE 'channel-' || abs(c % 100) END,
       'https://www.nexmark.com/item/' || abs(a % 50) || '/page/' || abs(b % 9)
           || CASE WHEN c % 2 = 0 THEN '?q=1&channel_id=' || abs(c % 90) ELSE '' END,
       at, repeat('bcd', abs(c % 12)::int)
FROM event WHERE kind > 3
"""
# The ids that a batch is about, drawn anew for each kind of change.
_DRAWN = "SELECT abs(hashint8extended(i, {number} + {kind})) % (SELECT max(id) + 1 FROM {table})"
_CHURN = (
    "UPDATE person SET state = CASE state WHEN 'OR' THEN 'WY' ELSE 'OR' END, city = city || '!'"
    " WHERE id IN ({persons})",
    "UPDATE auction SET expires = expires + interval '5 seconds', category = 10 + (category + 1) % 5"
    " WHERE id IN ({auctions})",
    "DELETE FROM auction WHERE id IN ({auctions}) AND reserve % 2 = 0",
    "DELETE FROM bid WHERE auction IN ({auctions}) AND price % 3 = 0",
    "UPDATE bid SET price = price + 1 WHERE auction IN ({auctions}) AND price % 5 = 0",
    "UPDATE side_input SET value = value || '.' WHERE key = {number} % 1000",
)
_INDEXES = """
CREATE INDEX ON auction (seller);
CREATE INDEX ON bid (auction);
CREATE INDEX ON bid (bidder);
"""


def load(conn: Connection[Any], size: float) -> None:
    """Create the tables and let `size` million events happen."""
    conn.execute(_TABLES)
    with conn.transaction():
        conn.execute(sql.SQL(_EVENTS).format(events=sql.Literal(round(size * 1_000_000))))
    conn.execute(_INDEXES)
    conn.execute("VACUUM (ANALYZE)")


def apply(conn: Connection[Any], number: int, events: int) -> None:
    """One batch, in one transaction: new events, and some changes of old ones."""
    with conn.transaction():
        conn.execute(sql.SQL(_EVENTS).format(events=sql.Literal(events)))
        for kind, change in enumerate(_CHURN):
            drawn = {
                f"{table}s": sql.SQL(_DRAWN + " FROM generate_series(1, {some}) i").format(
                    number=sql.Literal(number),
                    kind=sql.Literal(kind),
                    table=sql.Identifier(table),
                    some=sql.Literal(max(events // 100, 2)),
                )
                for table in ("person", "auction")
            }
            conn.execute(sql.SQL(change).format(number=sql.Literal(number), **drawn))
