-- Sizes of the change buffers, one row for each stream table that reads one; rows are the server's estimate.
CREATE FUNCTION pgtrickle.change_buffer_sizes()
RETURNS TABLE (stream_table text, source_table text, source_oid bigint, cdc_mode text, pending_rows bigint,
               buffer_bytes bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_schema || '.' || s.pgt_name, d.source_schema || '.' || d.source_name, d.source_relid::bigint,
           d.cdc_mode, coalesce(pg_stat_get_live_tuples(b.buffer), 0), coalesce(pg_total_relation_size(b.buffer), 0)
    FROM pgtrickle.pgt_dependencies d
    JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
    CROSS JOIN LATERAL (SELECT to_regclass(format('pgtrickle_changes.changes_%s', d.source_id)) AS buffer) b
    WHERE d.source_type <> 'VIEW'
    ORDER BY 1, 2
$fn$;
