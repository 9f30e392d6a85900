-- Have one dead letter tried again by the relay that carries its pipeline; it is gone when that succeeds.
CREATE FUNCTION pgtrickle.relay_dlq_retry(id bigint) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    name text;
BEGIN
    UPDATE pgtrickle.pgt_relay_dead_letters d SET retry_at = clock_timestamp() WHERE d.letter_id = id RETURNING d.pipeline_name INTO name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'dead letter not found: %', id
            USING ERRCODE = '42704', HINT = 'pgtrickle.relay_dlq_list() shows them; those that were delivered are gone.';
    END IF;
    PERFORM pg_notify('pgtrickle_outbox', '! ' || name);
END
$fn$;
