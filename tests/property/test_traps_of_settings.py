"""Sessions that write, refresh and create have settings of their own; a result does not.

Lies it would catch: a row that is found again by how it prints, and prints differently in another session; a value of
a stable function computed by the settings of whoever refreshes or writes; a program that cannot run under a setting.
Oracle: PostgreSQL, evaluating the defining query in a session with the settings of the stream table's creator (floats
with all their digits, always).
"""

from __future__ import annotations

import pytest

from property.scenarios import must, scenario
from property.trial import Trial
from trickle.errors import DefinitionError

TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, g int, at timestamptz, d date, i interval, f float8, b bytea, n numeric,"
    " s text[])",
    "CREATE TABLE k (g int, at timestamptz, f float4, j jsonb)",
    "INSERT INTO t SELECT i, i % 3, '2026-03-29 00:30+00'::timestamptz + i * interval '1 hour', '2026-01-01'::date + i,"
    " i * interval '1 mon 1 hour', 1 / i::float8, decode('00ff', 'hex'), i / 3.0, ARRAY[i::text, NULL, 'NULL']"
    " FROM generate_series(1, 9) i",
    "INSERT INTO k SELECT i % 3, '2026-03-29 00:30+00', i / 7.0, jsonb_build_object('a', i / 7.0)"
    " FROM generate_series(1, 5) i",
)
# Results print floats with all their digits, whoever created them.
LESS = "extra_float_digits = -12"
SETTINGS = (
    "TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German, DMY'; SET IntervalStyle = 'sql_standard'",
    "bytea_output = 'escape'; SET lc_numeric = 'C'; SET xmloption = 'document'",
    LESS,
    "standard_conforming_strings = off; SET array_nulls = off; SET transform_null_equals = on;"
    " SET escape_string_warning = on; SET quote_all_identifiers = on",
    "from_collapse_limit = 1; SET join_collapse_limit = 1; SET geqo_threshold = 2;"
    " SET plan_cache_mode = force_generic_plan",
    "work_mem = '64kB'; SET enable_hashagg = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = on;"
    " SET jit_above_cost = 0",
    "search_path = pg_temp; SET row_security = off; SET plpgsql.extra_errors = 'all'; SET check_function_bodies = off;"
    " SET client_min_messages = error",
)
# What the driver can read.
READABLE = "SET DateStyle = 'ISO, DMY'; SET IntervalStyle = 'postgres'"
STEPS = (
    "UPDATE {schema}.t SET f = f / 3, at = at + interval '1 day', i = i * 2, n = n / 3 WHERE id < 4",
    "DELETE FROM {schema}.k WHERE f > 0.5",
    "INSERT INTO {schema}.k SELECT g, at, f, jsonb_build_object('a', NULL) FROM {schema}.t WHERE id < 4",
    "UPDATE {schema}.t SET b = b || decode('00', 'hex'), g = NULL, s = s || s WHERE id IN (4, 5)",
    "DELETE FROM {schema}.t WHERE id IN (1, 4)",
    "UPDATE {schema}.k SET f = f + 1, at = at + interval '1 sec'",
)
QUERIES = (
    "SELECT f, b, n, i, at, d, s FROM t",
    "SELECT g, at::date AS day, to_char(at, 'DD Mon HH24:MI TZ') AS told, d::text AS d, i::text AS i,"
    " f::text AS f FROM t",
    "SELECT date_trunc('day', at) AS day, count(*), sum(n), min(i), max(at::text), string_agg(f::text, ',' ORDER BY id)"
    " FROM t GROUP BY 1",
    "SELECT k.j, k.f, t.at, t.b::text AS b FROM k LEFT JOIN t ON t.g = k.g AND t.at >= k.at",
    "SELECT DISTINCT f, at, j::text AS j FROM k",
    "SELECT at::text AS x, f::text AS y FROM k EXCEPT ALL SELECT at::text, f::text FROM t",
    "SELECT id, row_number() OVER (PARTITION BY at::date ORDER BY id) AS p, s::text AS s FROM t",
    "SELECT id, at FROM t ORDER BY at::text, id LIMIT 3",
    "SELECT t.id, (SELECT max(k.at::text) FROM k WHERE k.g = t.g) AS last FROM t",
    "SELECT id FROM t WHERE extract(hour FROM at) < 12 AND d::text LIKE '2026-%' AND g IS NOT DISTINCT FROM 1",
    r"SELECT id, 'a\nb' AS raw, E'a\\b''' AS told, b = '\x00ff' AS same FROM t",
)


@pytest.mark.parametrize("query", QUERIES)
def test_whoever_writes_or_refreshes(made: Trial, query: str) -> None:
    table = scenario(made, TABLES, query)
    for settings in SETTINGS:
        for step in STEPS:
            made.connection.execute(f"SET {settings}")
            must(made, step.replace("{schema}", made.schema))
            if made.mode != "IMMEDIATE":
                must(made, f"SELECT pgtrickle.refresh_stream_table('{made.schema}.st')")
            made.connection.execute(f"RESET ALL; SET search_path = {made.schema}, public")
            made.compare(table)
        for statement in ("DELETE FROM t", "DELETE FROM k", *TABLES[2:]):
            must(made, statement)
        made.refresh(table)


@pytest.mark.full
@pytest.mark.parametrize("settings", [settings for settings in SETTINGS if settings != LESS])
@pytest.mark.parametrize("query", QUERIES)
def test_whoever_creates(made: Trial, query: str, settings: str) -> None:
    for statement in TABLES:
        must(made, statement)
    path = f"SET search_path = {made.schema}, public"
    made.connection.execute(f"SET {settings}; {path}; {READABLE}")
    if "\\" in query and "conforming" in settings:
        with pytest.raises(DefinitionError, match="a backslash means different things"):
            made.create("st", query)
        return
    table = made.create("st", query)
    for step in STEPS:
        made.connection.execute(f"RESET ALL; {path}")
        must(made, step.replace("{schema}", made.schema))
        if made.mode != "IMMEDIATE":
            must(made, f"SELECT pgtrickle.refresh_stream_table('{made.schema}.st')")
        made.connection.execute(f"SET {settings}; {path}; {READABLE}; SET extra_float_digits = 1")
        made.compare(table)
