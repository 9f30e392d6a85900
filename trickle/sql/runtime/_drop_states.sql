-- Drop the tables that the program of a stream table keeps for itself.
CREATE FUNCTION pgtrickle._drop_states(pgt_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    kept record;
BEGIN
    FOR kept IN SELECT * FROM pgtrickle._state_tables(_drop_states.pgt_id) LOOP
        EXECUTE format('DROP TABLE %s', kept.state);
        IF kept.view IS NOT NULL THEN
            EXECUTE format('DROP VIEW %s', kept.view);
        END IF;
    END LOOP;
END
$fn$;
