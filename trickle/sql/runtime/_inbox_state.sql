-- The conditions by which a message of an inbox waits, or is dead.
CREATE FUNCTION pgtrickle._inbox_state(box pgtrickle.pgt_inbox_config, OUT pending text, OUT dead text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT format('%I IS NULL AND coalesce(%I, 0) < %s', box.processed_at_column, box.retry_count_column, box.max_retries),
           format('%I IS NULL AND coalesce(%I, 0) >= %s', box.processed_at_column, box.retry_count_column, box.max_retries)
$fn$;
