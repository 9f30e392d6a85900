-- A stamp differs: find out whether it matters, and repair what can be repaired. Returns the reason for which the
-- coming refresh must be a full one, or NULL when nothing that matters has changed.
CREATE FUNCTION pgtrickle._revalidate(pgt_id bigint) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st       pgtrickle.pgt_stream_tables;
    view_oid oid := to_regclass(format('pgtrickle_programs.query_%s', _revalidate.pgt_id));
    dep      record;
    checked  record;
    reasons  text[] := '{}';
    lost     text[];
    different text;
    compiled_in boolean;
    redefined boolean := false;
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
    FOR dep IN
        SELECT d.*, pgtrickle._source_facts(d.source_relid) AS facts,
               CASE WHEN d.source_id IS NOT NULL THEN pgtrickle._capture_fault(d.source_relid, d.source_id) END AS fault
        FROM pgtrickle.pgt_dependencies d
        WHERE d.pgt_id = _revalidate.pgt_id AND d.stamp IS DISTINCT FROM pgtrickle.source_stamp(d.source_relid)
    LOOP
        -- Triggers switched off and on again look healthy now, and their rows are lost: the stamp alone tells.
        IF dep.fault IS NOT NULL THEN
            reasons := reasons || dep.fault;
        ELSIF dep.source_id IS NOT NULL AND pgtrickle._trigger_stamp(dep.source_relid) IS DISTINCT FROM dep.column_snapshot ->> 'triggers' THEN
            reasons := reasons || format('capture triggers of %s were changed', dep.source_relid::regclass);
        END IF;
        -- A column that was added since is read by nobody: the query was bound before it came.
        SELECT string_agg(k.key, ', ' ORDER BY k.key), coalesce(bool_or(k.key IN ('columns', 'definition', 'unique')), false)
        INTO different, compiled_in
        FROM jsonb_each(dep.facts) k
        WHERE k.key <> 'triggers' AND k.value IS DISTINCT FROM dep.column_snapshot -> k.key
          AND NOT (k.key = 'columns' AND k.value @> (dep.column_snapshot -> k.key));
        redefined := redefined OR compiled_in;
        IF different IS NOT NULL THEN
            reasons := reasons || format('%s of %s changed', different, dep.source_relid::regclass);
        END IF;
    END LOOP;

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
    IF redefined THEN
        PERFORM pgtrickle._strip_program(_revalidate.pgt_id);
        PERFORM pgtrickle._install_full(_revalidate.pgt_id);
    END IF;
    RETURN nullif(array_to_string(reasons, '; '), '');
END
$fn$;
