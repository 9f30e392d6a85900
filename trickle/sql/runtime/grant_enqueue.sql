-- Let a role put jobs into queues, and nothing else.
CREATE FUNCTION pgtrickle.grant_enqueue(role name) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA pgtrickle TO %I', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION '
                   'pgtrickle.enqueue(text, jsonb, int, timestamptz, interval, int, interval, boolean, text, text, text, interval), '
                   'pgtrickle.enqueue_throttled(text, text, interval, jsonb, int, interval, int, interval, boolean, text, text, interval), '
                   'pgtrickle.enqueue_debounced(text, text, interval, jsonb, interval, int, interval, int, interval, boolean, text, text, interval), '
                   'pgtrickle.enqueue_many(text, jsonb[], int, timestamptz, interval, int, interval, boolean, text, text, interval) '
                   'TO %I', role);
END
$fn$;
