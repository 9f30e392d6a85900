-- Remove one dead letter for good.
CREATE FUNCTION pgtrickle.relay_dlq_discard(id bigint) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    DELETE FROM pgtrickle.pgt_relay_dead_letters d WHERE d.letter_id = id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'dead letter not found: %', id
            USING ERRCODE = '42704', HINT = 'pgtrickle.relay_dlq_list() shows them; those that were delivered are gone.';
    END IF;
END
$fn$;
