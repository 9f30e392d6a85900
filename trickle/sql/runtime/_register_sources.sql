-- Find what the query view of a stream table reads, capture it, and record it as its dependencies.
CREATE FUNCTION pgtrickle._register_sources(pgt_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    view_oid oid := format('pgtrickle_programs.query_%s', _register_sources.pgt_id)::regclass;
    source   record;
    former   record;
    id       int;
    keyless  boolean := false;
    polled   text;
    st       pgtrickle.pgt_stream_tables;
BEGIN
    DELETE FROM pgtrickle.pgt_dependencies d
    WHERE d.pgt_id = _register_sources.pgt_id
      AND NOT EXISTS (SELECT FROM pgtrickle._query_sources(view_oid) q WHERE q.relid = d.source_relid);
    -- In order of their ids, so that two creators lock common sources in the same order.
    FOR source IN
        SELECT q.relid, q.relkind, q.attnums, n.nspname, c.relname,
               EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = q.relid) AS is_stream_table,
               EXISTS (SELECT FROM pgtrickle._members(q.relid) m JOIN pg_class mc ON mc.oid = m.member
                       WHERE mc.relkind NOT IN ('r', 'p')) AS has_foreign_member
        FROM pgtrickle._query_sources(view_oid) q
        JOIN pg_class c ON c.oid = q.relid JOIN pg_namespace n ON n.oid = c.relnamespace
        ORDER BY q.relid
    LOOP
        id := NULL;
        IF source.relkind IN ('r', 'p') AND NOT source.has_foreign_member THEN
            id := pgtrickle._ensure_capture(source.relid, source.attnums);
            keyless := keyless OR pgtrickle._key_attnums(source.relid) = '{}';
        ELSIF source.relkind <> 'v' THEN
            id := pgtrickle._ensure_polled(_register_sources.pgt_id, source.relid, source.attnums);
            PERFORM pgtrickle._write_poll(_register_sources.pgt_id, id);
            keyless := true;
        END IF;
        INSERT INTO pgtrickle.pgt_dependencies AS d
            (pgt_id, source_relid, source_type, source_schema, source_name, source_id, columns_used, cdc_mode)
        VALUES (_register_sources.pgt_id, source.relid,
                CASE WHEN source.is_stream_table THEN 'STREAM_TABLE' WHEN source.relkind = 'v' THEN 'VIEW'
                     WHEN source.relkind = 'm' THEN 'MATVIEW' WHEN source.relkind = 'f' THEN 'FOREIGN_TABLE'
                     ELSE 'TABLE' END,
                source.nspname, source.relname, id,
                (SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}') FROM pg_attribute a
                 WHERE a.attrelid = source.relid AND a.attnum = ANY (source.attnums)),
                CASE WHEN source.relkind = 'v' THEN 'NONE'
                     WHEN source.relkind IN ('r', 'p') AND NOT source.has_foreign_member THEN 'TRIGGER' ELSE 'POLL' END)
        ON CONFLICT (pgt_id, source_relid) DO UPDATE
            SET source_type = excluded.source_type, source_schema = excluded.source_schema,
                source_name = excluded.source_name, source_id = excluded.source_id,
                columns_used = excluded.columns_used, cdc_mode = excluded.cdc_mode;
    END LOOP;
    FOR former IN
        SELECT p.oid::regprocedure AS signature FROM pg_proc p
        WHERE p.pronamespace = 'pgtrickle_programs'::regnamespace
          AND p.proname >= format('poll_%s_', _register_sources.pgt_id)::name
          AND p.proname < format('poll_%s`', _register_sources.pgt_id)::name  -- by index, then exactly
          AND p.proname ~ format('^poll_%s_[0-9]+$', _register_sources.pgt_id)
          AND NOT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d
                          WHERE p.proname = format('poll_%s_%s', d.pgt_id, d.source_id))
    LOOP
        EXECUTE format('DROP FUNCTION %s', former.signature);
    END LOOP;
    UPDATE pgtrickle.pgt_stream_tables s SET has_keyless_source = keyless WHERE s.pgt_id = _register_sources.pgt_id
    RETURNING s.* INTO st;
    IF st.refresh_mode = 'IMMEDIATE' THEN
        SELECT d.source_schema || '.' || d.source_name INTO polled FROM pgtrickle.pgt_dependencies d
        WHERE d.pgt_id = st.pgt_id AND d.cdc_mode = 'POLL' ORDER BY d.source_relid LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'stream table %.% cannot be IMMEDIATE: it reads %, whose writes fire no triggers',
                st.pgt_schema, st.pgt_name, polled
                USING ERRCODE = '0A000', HINT = 'Use refresh_mode => ''DIFFERENTIAL'' or ''FULL'' with a schedule.';
        END IF;
        PERFORM pgtrickle._arrange_immediate();
    END IF;
END
$fn$;
