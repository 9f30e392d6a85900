-- What a change is taken to cost as long as nothing like it was measured: ten times a row of a full refresh,
-- of which a millisecond is not spent on rows.
CREATE FUNCTION pgtrickle._cautious_ms_per_change(full_ms float8, source_rows float8) RETURNS float8
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT greatest(10 * (coalesce(full_ms, 0) - 1) / greatest(source_rows, 1), 1e-6)
$fn$;
