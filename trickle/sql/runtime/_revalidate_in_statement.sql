-- A stamp differs, and a statement that writes the source is in progress. Where nothing matters or only contents have
-- changed, note how the sources look now. What needs new triggers or another program has to wait for a refresh, for
-- nobody can alter a table that is being written: till then each statement recomputes in full, and says so.
CREATE FUNCTION pgtrickle._revalidate_in_statement(pgt_id bigint) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    found record;
    st    record;
    said  text;
BEGIN
    PERFORM pgtrickle._assert_identity();
    SELECT * INTO found FROM pgtrickle._changed_sources(_revalidate_in_statement.pgt_id);
    IF NOT found.uncaptured AND NOT found.redefined
       AND NOT pgtrickle._immediate_fault(_revalidate_in_statement.pgt_id) THEN
        RETURN pgtrickle._revalidate(_revalidate_in_statement.pgt_id);
    END IF;
    said := array_to_string(found.reasons, '; ');
    SELECT s.pgt_schema || '.' || s.pgt_name AS label INTO STRICT st FROM pgtrickle.pgt_stream_tables s
    WHERE s.pgt_id = _revalidate_in_statement.pgt_id;
    RAISE WARNING 'the IMMEDIATE stream table % is recomputed in full by this statement: %', st.label, said
        USING HINT = format('SELECT pgtrickle.refresh_stream_table(%L) repairs it, and so does a running worker.', st.label);
    RETURN said;
END
$fn$;
