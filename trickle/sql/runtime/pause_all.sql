-- As pause_scheduler, for every stream table that is refreshed.
CREATE FUNCTION pgtrickle.pause_all() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    seconds float8 := pgtrickle._setting_seconds('scheduler_drain_timeout', '30s');
BEGIN
    IF NOT pgtrickle.drain(greatest(1, ceil(seconds))::int) THEN
        RAISE EXCEPTION 'a refresh in progress did not end within % seconds', seconds
            USING ERRCODE = '55P03', HINT = 'Nothing is paused. Try again, or set pg_trickle.scheduler_drain_timeout.';
    END IF;
END
$fn$;
