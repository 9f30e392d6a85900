-- A stamp differs: find out whether it matters, and repair what can be repaired. Returns the reason for which the
-- coming refresh must be a full one, or NULL when nothing that matters has changed.
CREATE FUNCTION pgtrickle._revalidate(pgt_id bigint) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st       pgtrickle.pgt_stream_tables;
    view_oid oid := to_regclass(format('pgtrickle_programs.query_%s', _revalidate.pgt_id));
    checked  record;
    reasons  text[] := '{}';
    lost     text[];
    found    record;
BEGIN
    SELECT s.* INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _revalidate.pgt_id;
    SELECT array_agg(d.source_schema || '.' || d.source_name ORDER BY d.source_name) INTO lost
    FROM pgtrickle.pgt_dependencies d
    WHERE d.pgt_id = _revalidate.pgt_id AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.source_relid);
    IF view_oid IS NULL OR lost IS NOT NULL AND EXISTS (
            SELECT FROM pgtrickle._query_sources(view_oid) q WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = q.relid)) THEN
        RAISE EXCEPTION 'a source of stream table %.% was dropped%', st.pgt_schema, st.pgt_name,
            coalesce(': ' || array_to_string(lost, ', '), '')
            USING ERRCODE = '42P01',
                  HINT = format('Create it again and call pgtrickle.alter_stream_table(%L, query => …), or drop the stream table.',
                                st.pgt_schema || '.' || st.pgt_name);
    END IF;

    SELECT * INTO checked FROM pgtrickle._check_query(view_oid, st.pgt_schema || '.' || st.pgt_name);
    IF st.function_hashes IS DISTINCT FROM pgtrickle._functions_stamp(checked.function_oids)
       AND (st.function_oids <> '{}' OR checked.function_oids <> '{}') THEN
        reasons := reasons || 'a function it calls was replaced'::text;
    END IF;
    SELECT * INTO found FROM pgtrickle._changed_sources(_revalidate.pgt_id);
    reasons := reasons || found.reasons;

    PERFORM pgtrickle._register_sources(_revalidate.pgt_id);
    UPDATE pgtrickle.pgt_stream_tables s
    SET query_volatility = checked.volatility, volatility_reason = checked.reason,
        functions_used = checked.functions, function_oids = checked.function_oids,
        pgt_schema = n.nspname, pgt_name = c.relname,
        program_state = CASE WHEN cardinality(reasons) > 0 AND s.program_state IN ('compiled', 'full_only')
                             THEN 'stale' ELSE s.program_state END,
        updated_at = now()
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE s.pgt_id = _revalidate.pgt_id AND c.oid = s.pgt_relid;
    PERFORM pgtrickle._restamp(_revalidate.pgt_id);
    -- The stored view, its keys and what may not be NULL in it were compiled from what is no longer so: until the next
    -- compilation the storage holds the query's own columns, filled from the query itself.
    IF found.redefined THEN
        PERFORM pgtrickle._strip_program(_revalidate.pgt_id);
        PERFORM pgtrickle._lock_storage(st.pgt_relid);
        PERFORM pgtrickle._strip_storage(st.pgt_relid);
        PERFORM pgtrickle._drop_unused_capture(ARRAY(
            SELECT t.source_id FROM pgtrickle.pgt_change_tracking t WHERE t.polled_relid IS NOT NULL));
        PERFORM pgtrickle._install_full(_revalidate.pgt_id);
    END IF;
    RETURN nullif(array_to_string(reasons, '; '), '');
END
$fn$;
