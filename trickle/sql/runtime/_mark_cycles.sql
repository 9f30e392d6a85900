-- Which stream tables read each other, noted in the catalog; their number is that of the first. Those that are new to a
-- cycle begin anew, from nothing: what they hold need not be in its fixed point.
CREATE FUNCTION pgtrickle._mark_cycles() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st record;
BEGIN
    IF NOT pgtrickle._setting_flag('allow_circular', 'off')
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.scc_id IS NOT NULL) THEN
        RETURN;
    END IF;
    FOR st IN
        UPDATE pgtrickle.pgt_stream_tables s
        SET scc_id = x.scc_id, last_fixpoint_iterations = NULL, needs_reinit = s.needs_reinit OR x.scc_id IS NOT NULL
        FROM (SELECT t.pgt_id, (pgtrickle._cycle_of(t.pgt_id))[1]::int AS scc_id FROM pgtrickle.pgt_stream_tables t) x
        WHERE s.pgt_id = x.pgt_id AND s.scc_id IS DISTINCT FROM x.scc_id
        RETURNING s.pgt_id, s.pgt_relid, s.scc_id
    LOOP
        IF st.scc_id IS NOT NULL THEN
            EXECUTE format('CREATE OR REPLACE FUNCTION pgtrickle_programs.empty_%s() RETURNS void LANGUAGE plpgsql '
                           'SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
                           st.pgt_id, format('BEGIN DELETE FROM %s; END', st.pgt_relid::regclass));
            PERFORM pgtrickle._hand_over('FUNCTION', format('pgtrickle_programs.empty_%s()', st.pgt_id), st.pgt_relid);
            EXECUTE format('REVOKE ALL ON FUNCTION pgtrickle_programs.empty_%s() FROM PUBLIC', st.pgt_id);
            EXECUTE format('GRANT EXECUTE ON FUNCTION pgtrickle_programs.empty_%s() TO %I', st.pgt_id, pgtrickle._catalog_owner());
        END IF;
    END LOOP;
END
$fn$;
