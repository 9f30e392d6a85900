"""The eight tables of TPC-H, filled, and the batches of changes that are made to them.

The rows come from `tpchgen-cli`, the specification's generator on PyPI (`pip install tpchgen-cli`); it writes CSV,
which is copied in. There are primary keys and an index on each foreign key, and no others: what a query would like
to have beyond that is the query's own affair. The foreign keys themselves are not declared, as in most results that
are published, and their columns say only that they are never NULL.

A batch is one transaction. With n = 375 at scale factor 1 it inserts n orders, deletes n, and changes up to four lines
of n others, which is some 5 300 of 6 000 000 signed rows of lineitem, 0.1 %; customers, parts, suppliers and their
stocks change beside them. Who is changed is drawn, from a seed that is the batch's number, but for a few: rows that
the selective queries are about are always among them, since at 0.01 % a drawn one would hardly ever be, and a query
whose result stands still says nothing. Every seventh batch renames a nation and moves it to another region: one row
that reaches a twenty-fifth of every fact. Every fourteenth also has two regions swap their names.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from psycopg import Connection, sql

# Batches are numbered through the timed and the untimed: with an odd distance neither kind has all the nations.
NATION_EVERY = 7
NATION_AT = 3
REGION_AT = NATION_EVERY + NATION_AT

_CHUNK = 1 << 20
_FEWEST = 2
_FEW_PER_ORDER = 20 / 375

_TABLES = """
CREATE TABLE region (
    r_regionkey int          PRIMARY KEY,
    r_name      char(25)     NOT NULL,
    r_comment   varchar(152) NOT NULL);
CREATE TABLE nation (
    n_nationkey int          PRIMARY KEY,
    n_name      char(25)     NOT NULL,
    n_regionkey int          NOT NULL,
    n_comment   varchar(152) NOT NULL);
CREATE TABLE supplier (
    s_suppkey   int           PRIMARY KEY,
    s_name      char(25)      NOT NULL,
    s_address   varchar(40)   NOT NULL,
    s_nationkey int           NOT NULL,
    s_phone     char(15)      NOT NULL,
    s_acctbal   numeric(15,2) NOT NULL,
    s_comment   varchar(101)  NOT NULL);
CREATE TABLE customer (
    c_custkey    int           PRIMARY KEY,
    c_name       varchar(25)   NOT NULL,
    c_address    varchar(40)   NOT NULL,
    c_nationkey  int           NOT NULL,
    c_phone      char(15)      NOT NULL,
    c_acctbal    numeric(15,2) NOT NULL,
    c_mktsegment char(10)      NOT NULL,
    c_comment    varchar(117)  NOT NULL);
CREATE TABLE part (
    p_partkey     int           PRIMARY KEY,
    p_name        varchar(55)   NOT NULL,
    p_mfgr        char(25)      NOT NULL,
    p_brand       char(10)      NOT NULL,
    p_type        varchar(25)   NOT NULL,
    p_size        int           NOT NULL,
    p_container   char(10)      NOT NULL,
    p_retailprice numeric(15,2) NOT NULL,
    p_comment     varchar(23)   NOT NULL);
CREATE TABLE partsupp (
    ps_partkey    int           NOT NULL,
    ps_suppkey    int           NOT NULL,
    ps_availqty   int           NOT NULL,
    ps_supplycost numeric(15,2) NOT NULL,
    ps_comment    varchar(199)  NOT NULL);
CREATE TABLE orders (
    o_orderkey      bigint        NOT NULL,
    o_custkey       int           NOT NULL,
    o_orderstatus   char(1)       NOT NULL,
    o_totalprice    numeric(15,2) NOT NULL,
    o_orderdate     date          NOT NULL,
    o_orderpriority char(15)      NOT NULL,
    o_clerk         char(15)      NOT NULL,
    o_shippriority  int           NOT NULL,
    o_comment       varchar(79)   NOT NULL);
CREATE TABLE lineitem (
    l_orderkey      bigint        NOT NULL,
    l_partkey       int           NOT NULL,
    l_suppkey       int           NOT NULL,
    l_linenumber    int           NOT NULL,
    l_quantity      numeric(15,2) NOT NULL,
    l_extendedprice numeric(15,2) NOT NULL,
    l_discount      numeric(15,2) NOT NULL,
    l_tax           numeric(15,2) NOT NULL,
    l_returnflag    char(1)       NOT NULL,
    l_linestatus    char(1)       NOT NULL,
    l_shipdate      date          NOT NULL,
    l_commitdate    date          NOT NULL,
    l_receiptdate   date          NOT NULL,
    l_shipinstruct  char(25)      NOT NULL,
    l_shipmode      char(10)      NOT NULL,
    l_comment       varchar(44)   NOT NULL);
"""
_INDEXES = """
ALTER TABLE partsupp ADD PRIMARY KEY (ps_partkey, ps_suppkey);
ALTER TABLE orders ADD PRIMARY KEY (o_orderkey);
ALTER TABLE lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber);
CREATE INDEX ON nation (n_regionkey);
CREATE INDEX ON supplier (s_nationkey);
CREATE INDEX ON customer (c_nationkey);
CREATE INDEX ON partsupp (ps_suppkey);
CREATE INDEX ON orders (o_custkey);
CREATE INDEX ON lineitem (l_partkey, l_suppkey);
CREATE INDEX ON lineitem (l_suppkey);
"""

# Orders, by the query they matter to: a batch changes one of each. Those just too small for query 18 (181) grow, since
# those that are large enough (180) mostly shrink.
_PICK = """
CREATE TABLE tpch_pick (query int NOT NULL, orderkey bigint NOT NULL);
INSERT INTO tpch_pick
SELECT CASE WHEN sum(l_quantity) > 300 THEN 180 ELSE 181 END, l_orderkey
FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 270;
INSERT INTO tpch_pick
SELECT 17, l_orderkey FROM lineitem JOIN part ON p_partkey = l_partkey
WHERE p_brand = 'Brand#23' AND p_container = 'MED BOX' AND l_quantity < 5
UNION ALL
SELECT 19, l_orderkey FROM lineitem JOIN part ON p_partkey = l_partkey
WHERE p_brand = 'Brand#12' AND p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG') AND l_quantity BETWEEN 1 AND 11
  AND p_size BETWEEN 1 AND 5 AND l_shipmode IN ('AIR', 'AIR REG') AND l_shipinstruct = 'DELIVER IN PERSON';
INSERT INTO tpch_pick
SELECT 3, l_orderkey FROM customer JOIN orders ON o_custkey = c_custkey JOIN lineitem ON l_orderkey = o_orderkey
WHERE c_mktsegment = 'BUILDING' AND o_orderdate < date '1995-03-15' AND l_shipdate > date '1995-03-15'
GROUP BY l_orderkey ORDER BY sum(l_extendedprice * (1 - l_discount)) DESC LIMIT 12;
INSERT INTO tpch_pick
SELECT 10, max(l_orderkey) FROM orders JOIN lineitem ON l_orderkey = o_orderkey
WHERE o_orderdate >= date '1993-10-01' AND o_orderdate < date '1994-01-01' AND l_returnflag = 'R'
GROUP BY o_custkey ORDER BY sum(l_extendedprice * (1 - l_discount)) DESC LIMIT 25;
ANALYZE tpch_pick;
"""

# What a batch is about is chosen first, in temporary tables.
_CHOOSE = """
CREATE TEMP TABLE drawn ON COMMIT DROP AS
SELECT k, row_number() OVER (ORDER BY lot) AS i
FROM (SELECT o_orderkey AS k, hashint8extended(o_orderkey, {number}) AS lot
      FROM orders ORDER BY lot LIMIT 3 * {orders}) x;
CREATE TEMP TABLE copied ON COMMIT DROP AS
SELECT k, (SELECT max(o_orderkey) FROM orders) + i AS new_key FROM drawn WHERE i <= {orders};
CREATE TEMP TABLE removed ON COMMIT DROP AS
SELECT k FROM drawn WHERE i > {orders} AND i <= 2 * {orders};
CREATE TEMP TABLE changed ON COMMIT DROP AS
SELECT k, false AS grows FROM drawn WHERE i > 2 * {orders};
INSERT INTO changed
SELECT DISTINCT ON (query) orderkey, query = 181 FROM tpch_pick
WHERE orderkey NOT IN (SELECT k FROM drawn) ORDER BY query, hashint8extended(orderkey, {number});
INSERT INTO changed
SELECT max(l_orderkey), false FROM lineitem
WHERE l_shipdate >= date '1996-01-01' AND l_shipdate < date '1996-04-01' AND l_orderkey NOT IN (SELECT k FROM drawn)
GROUP BY l_suppkey ORDER BY sum(l_extendedprice * (1 - l_discount)) DESC LIMIT 1;
ANALYZE copied;
ANALYZE removed;
ANALYZE changed;
"""
# New orders are copies of old ones; one in five is for a customer who had none, as every third customer has.
_ORDERS = """
INSERT INTO orders
SELECT new_key,
       CASE WHEN new_key % 5 = 0 THEN greatest(3, (o_custkey / 3) * 3)
            ELSE (o_custkey * 7) % (SELECT max(c_custkey) FROM customer) + 1 END,
       o_orderstatus, o_totalprice, o_orderdate + 3, o_orderpriority, o_clerk, o_shippriority, o_comment
FROM orders JOIN copied ON k = o_orderkey;
INSERT INTO lineitem
SELECT new_key, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag,
       l_linestatus, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment
FROM lineitem JOIN copied ON k = l_orderkey;
DELETE FROM lineitem USING removed WHERE l_orderkey = k;
DELETE FROM orders USING removed WHERE o_orderkey = k;
UPDATE lineitem
SET l_quantity = new_quantity,
    l_extendedprice = round(l_extendedprice / l_quantity * new_quantity, 2),
    l_shipdate = l_shipdate + (l_linenumber % 3) * 10 - 10,
    l_receiptdate = l_receiptdate + (l_linenumber % 3) * 20 - 20
FROM (SELECT k, l_linenumber AS n,
             CASE WHEN bool_or(grows) THEN 50 ELSE 1 + (l_quantity::int * 7) % 50 END AS new_quantity
      FROM changed JOIN lineitem ON l_orderkey = k WHERE l_linenumber <= 4 GROUP BY k, l_linenumber, l_quantity) x
WHERE l_orderkey = k AND l_linenumber = n;
"""
# Some parts become what a query asks for, the others change only their price, which no query reads.
_PARTS = """
UPDATE part
SET p_size = CASE turn WHEN 0 THEN 15 WHEN 1 THEN 3 ELSE p_size END,
    p_type = CASE turn WHEN 0 THEN 'LARGE PLATED BRASS' WHEN 1 THEN 'ECONOMY ANODIZED STEEL'
                       WHEN 2 THEN 'PROMO BRUSHED TIN' ELSE p_type END,
    p_brand = CASE turn WHEN 1 THEN 'Brand#12' WHEN 2 THEN 'Brand#23' ELSE p_brand END,
    p_container = CASE turn WHEN 1 THEN 'SM BOX' WHEN 2 THEN 'MED BOX' ELSE p_container END,
    p_name = CASE turn WHEN 0 THEN ('forest green ' || p_name)::varchar(55) ELSE p_name END,
    p_retailprice = p_retailprice + 1
FROM (SELECT p_partkey AS k, (row_number() OVER (ORDER BY lot) + {number} * {few}) % 5 AS turn
      FROM (SELECT p_partkey, hashint8extended(p_partkey, {number}) AS lot FROM part ORDER BY lot LIMIT {few}) x) y
WHERE p_partkey = k;
"""
# Half of the suppliers move to a nation that a query names: Canada, Saudi Arabia, Germany, France, Brazil.
_SUPPLIERS = """
UPDATE supplier
SET s_nationkey = CASE turn WHEN 0 THEN 3 WHEN 1 THEN 20 WHEN 2 THEN 7 WHEN 3 THEN 6 WHEN 4 THEN 2
                            ELSE (s_nationkey + 5) % 25 END,
    s_comment = CASE turn WHEN 1 THEN 'Customer sad Complaints ' WHEN 6 THEN 'content' ELSE s_comment END
FROM (SELECT s_suppkey AS k, (row_number() OVER (ORDER BY lot) + {number} * {few}) % 10 AS turn
      FROM (SELECT s_suppkey, hashint8extended(s_suppkey, {number}) AS lot FROM supplier ORDER BY lot LIMIT {few}) x) y
WHERE s_suppkey = k;
UPDATE partsupp
SET ps_availqty = 9999 - ps_availqty, ps_supplycost = round(ps_supplycost * 0.9, 2)
WHERE (ps_partkey, ps_suppkey) IN (
    SELECT ps_partkey, ps_suppkey FROM partsupp
    ORDER BY hashint8extended(ps_partkey, ps_suppkey + {number}) LIMIT 2 * {few});
UPDATE partsupp
SET ps_availqty = CASE WHEN ps_availqty > 5000 THEN 1 ELSE 9999 END
WHERE (ps_partkey, ps_suppkey) IN (
    SELECT ps_partkey, ps_suppkey
    FROM part JOIN partsupp ON p_partkey = ps_partkey JOIN supplier ON s_suppkey = ps_suppkey
    WHERE p_name LIKE 'forest%' AND s_nationkey = 3
    ORDER BY hashint8extended(ps_partkey, ps_suppkey + {number}) LIMIT 1);
UPDATE partsupp
SET ps_supplycost = 0.50 + {number} % 3
WHERE (ps_partkey, ps_suppkey) IN (
    SELECT ps_partkey, ps_suppkey
    FROM part JOIN partsupp ON p_partkey = ps_partkey JOIN supplier ON s_suppkey = ps_suppkey
         JOIN nation ON n_nationkey = s_nationkey
    WHERE p_size = 15 AND p_type LIKE '%BRASS' AND n_regionkey = 3
    ORDER BY hashint8extended(ps_partkey, ps_suppkey + {number}) LIMIT 1);
"""
_CUSTOMERS = """
UPDATE customer
SET c_mktsegment = CASE WHEN turn % 2 = 0 THEN 'BUILDING' ELSE 'MACHINERY' END,
    c_acctbal = c_acctbal + 1234.5 * (turn % 3 - 1),
    c_nationkey = CASE WHEN turn % 10 = 0 THEN (c_nationkey + 1) % 25 ELSE c_nationkey END
FROM (SELECT c_custkey AS k, row_number() OVER (ORDER BY lot) + {number} AS turn
      FROM (SELECT c_custkey, hashint8extended(c_custkey, {number}) AS lot
            FROM customer ORDER BY lot LIMIT 5 * {few}) x) y
WHERE c_custkey = k;
"""
# The nation renamed before gets its name back, so that no query runs out of nations; it stays where it was moved to.
_NATION = """
UPDATE nation
SET n_name = CASE WHEN n_name LIKE '%*%' THEN replace(n_name, '*', '') ELSE rtrim(n_name) || '*' END,
    n_regionkey = (n_regionkey + 3) % 5
WHERE n_name LIKE '%*%' OR n_nationkey = (ARRAY[6, 9, 2, 3, 20, 7, 18])[1 + ({number} / {every}) % 7];
"""
_REGION = """
UPDATE region SET r_name = CASE r_name WHEN 'ASIA' THEN 'EUROPE' ELSE 'ASIA' END WHERE r_name IN ('ASIA', 'EUROPE');
"""

TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")


class NoGenerator(Exception):
    """The generator of the data is not installed."""


def generator() -> str | None:
    """Where `tpchgen-cli` is: beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("tpchgen-cli")
    return str(beside) if beside.exists() else shutil.which("tpchgen-cli")


def load(conn: Connection[Any], scale: float) -> None:
    """Create the tables in the schema new tables go to, and fill them."""
    program = generator()
    if program is None:
        raise NoGenerator("the tables of TPC-H are made by tpchgen-cli: pip install tpchgen-cli")
    conn.execute(_TABLES)
    with tempfile.TemporaryDirectory(prefix="trickle_tpch_") as directory:
        for table in TABLES:
            # One table at a time: the files of scale factor 1 are a gigabyte together.
            subprocess.run(
                [program, "csv", "-q", "-s", f"{scale:g}", "-T", table, "-o", directory],
                check=True,
                stdin=subprocess.DEVNULL,
            )
            path = Path(directory, f"{table}.csv")
            _copy(conn, table, path)
            path.unlink()
    conn.execute(_INDEXES)
    conn.execute(_PICK)
    conn.execute("VACUUM (ANALYZE)")


def _copy(conn: Connection[Any], table: str, path: Path) -> None:
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT csv, HEADER)").format(sql.Identifier(table))
    with conn.cursor().copy(statement) as copy, path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            copy.write(chunk)


def apply(conn: Connection[Any], number: int, orders: int) -> None:
    """Apply the batch of this number in one transaction; it inserts, deletes and changes so many orders each."""
    values = {
        "number": sql.Literal(number),
        "orders": sql.Literal(orders),
        "few": sql.Literal(max(_FEWEST, round(orders * _FEW_PER_ORDER))),
        "every": sql.Literal(NATION_EVERY),
    }
    parts = [_CHOOSE, _ORDERS, _PARTS, _SUPPLIERS, _CUSTOMERS]
    if moves_nation(number):
        parts.append(_NATION)
    if number % (2 * NATION_EVERY) == REGION_AT:
        parts.append(_REGION)
    with conn.transaction():
        for part in parts:
            conn.execute(sql.SQL(part).format(**values))


def moves_nation(number: int) -> bool:
    return number % NATION_EVERY == NATION_AT
