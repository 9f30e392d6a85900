-- Remove everything of one stream table in schema pgtrickle_programs: functions, their own tables, stored view, query view.
CREATE FUNCTION pgtrickle._drop_programs(pgt_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT p.oid::regprocedure AS signature FROM pg_proc p
        WHERE p.pronamespace = 'pgtrickle_programs'::regnamespace
          AND p.proname ~ format('^[a-z_]+_%s(_[a-z0-9_]*)?$', pgt_id)
    LOOP
        EXECUTE format('DROP FUNCTION %s', item.signature);
    END LOOP;
    PERFORM pgtrickle._drop_states(_drop_programs.pgt_id);
    FOR item IN
        SELECT v AS signature FROM unnest(ARRAY['stored', 'query']) WITH ORDINALITY u(kind, n),
               to_regclass(format('pgtrickle_programs.%s_%s', kind, pgt_id)) v
        WHERE v IS NOT NULL ORDER BY n
    LOOP
        EXECUTE format('DROP VIEW %s', item.signature);
    END LOOP;
END
$fn$;
