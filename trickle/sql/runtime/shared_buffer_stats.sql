-- One row for each change buffer: who reads it, which columns it captures, how much lies in it.
CREATE FUNCTION pgtrickle.shared_buffer_stats()
RETURNS TABLE (source_oid bigint, source_table text, consumer_count int, consumers text, columns_tracked text,
               buffer_rows bigint, is_estimate boolean, buffer_bytes bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT t.source_relid::bigint, t.source_schema || '.' || t.source_name, r.readers, r.names,
           (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a
            WHERE a.attrelid = t.source_relid AND a.attnum = ANY (t.captured_attnums)),
           b.row_count, b.is_estimate,
           coalesce(pg_total_relation_size(to_regclass(format('pgtrickle_changes.changes_%s', t.source_id))), 0)
    FROM pgtrickle.pgt_change_tracking t
    CROSS JOIN LATERAL pgtrickle._count_changes(t.source_id, NULL) b
    CROSS JOIN LATERAL (
        SELECT count(*)::int AS readers,
               string_agg(s.pgt_schema || '.' || s.pgt_name, ', ' ORDER BY s.pgt_schema, s.pgt_name) AS names
        FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
        WHERE d.source_id = t.source_id) r
    ORDER BY 2
$fn$;
