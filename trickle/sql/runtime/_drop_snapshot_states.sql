CREATE FUNCTION pgtrickle._drop_snapshot_states(snapshot_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    item regclass;
BEGIN
    FOR item IN
        SELECT c.oid::regclass FROM pg_class c
        WHERE c.relnamespace = 'pgtrickle_programs'::regnamespace AND c.relkind = 'r'
          AND c.relname ~ format('^snapshot_%s_state_[0-9]+$', _drop_snapshot_states.snapshot_id)
    LOOP
        EXECUTE format('DROP TABLE %s', item);
    END LOOP;
END
$fn$;
