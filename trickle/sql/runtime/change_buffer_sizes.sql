-- Sizes of the change buffers, one row for each stream table that reads one. `row_count` is what lies in the buffer,
-- `pending_rows` what this stream table has not consumed; both are exact up to 10 000 rows, then `is_estimate` is true.
CREATE FUNCTION pgtrickle.change_buffer_sizes()
RETURNS TABLE (stream_table text, source_table text, source_oid bigint, cdc_mode text, pending_rows bigint,
               buffer_bytes bigint, row_count bigint, is_estimate boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_schema || '.' || s.pgt_name, d.source_schema || '.' || d.source_name, d.source_relid::bigint,
           d.cdc_mode, c.pending_rows,
           coalesce(pg_total_relation_size(to_regclass(format('pgtrickle_changes.changes_%s', d.source_id))), 0),
           c.row_count, c.is_estimate
    FROM pgtrickle.pgt_dependencies d
    JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
    CROSS JOIN LATERAL pgtrickle._count_changes(d.source_id, d.pgt_id) c
    WHERE d.source_type <> 'VIEW'
    ORDER BY 1, 2
$fn$;
