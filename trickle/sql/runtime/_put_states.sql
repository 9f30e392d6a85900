-- Put back what the program of a stream table kept when a snapshot was taken.
CREATE FUNCTION pgtrickle._put_states(pgt_id bigint, snapshot_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT k.* FROM pgtrickle._state_tables(_put_states.pgt_id) k LOOP
        EXECUTE format('DELETE FROM %s', item.state);
        EXECUTE format('INSERT INTO %s SELECT * FROM pgtrickle_programs.snapshot_%s_state_%s',
                       item.state, _put_states.snapshot_id, item.number);
    END LOOP;
END
$fn$;
