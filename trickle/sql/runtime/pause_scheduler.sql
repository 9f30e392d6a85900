-- Stop the scheduled refreshes of some stream tables, once those in hand are over; they may still be refreshed by hand.
CREATE FUNCTION pgtrickle.pause_scheduler(nodes text[]) RETURNS text
LANGUAGE plpgsql STRICT AS $fn$
DECLARE
    ids     bigint[] := pgtrickle._named_tables(nodes, current_schema()::pg_catalog.text);
    seconds float8   := pgtrickle._setting_seconds('scheduler_drain_timeout', '30s');
BEGIN
    IF NOT pgtrickle._pause(ids, seconds) THEN
        RAISE EXCEPTION 'a refresh in progress did not end within % seconds', seconds
            USING ERRCODE = '55P03', HINT = 'Nothing is paused. Try again, or set pg_trickle.scheduler_drain_timeout.';
    END IF;
    RETURN 'OK';
END
$fn$;
