-- Is every source captured as it should be? One row for each; `alert` is NULL where all is well. Capture is by triggers, so
-- there is no slot and no position in the log.
CREATE FUNCTION pgtrickle.check_cdc_health()
RETURNS TABLE (source_relid bigint, source_table text, cdc_mode text, slot_name text, lag_bytes bigint,
               confirmed_lsn pg_lsn, alert text, selective_capture boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT coalesce(t.polled_relid, t.source_relid)::bigint, t.source_schema || '.' || t.source_name,
           CASE WHEN t.polled_relid IS NULL THEN 'TRIGGER' ELSE 'POLL' END, NULL::text, NULL::bigint, NULL::pg_lsn,
           CASE WHEN c.oid IS NULL THEN 'the table was dropped'
                ELSE coalesce(CASE WHEN q.source_id IS NOT NULL THEN pgtrickle._capture_fault(t.source_relid, t.source_id) END,
                              CASE WHEN b.row_count > 1000000 THEN format('about %s rows lie in its change buffer', b.row_count) END)
           END,
           cardinality(t.captured_attnums) < (
               SELECT count(*) FROM pg_attribute a WHERE a.attrelid = t.source_relid AND a.attnum > 0 AND NOT a.attisdropped)
    FROM pgtrickle.pgt_change_tracking t
    LEFT JOIN pg_class c ON c.oid = t.source_relid
    LEFT JOIN pgtrickle._doubtful_captures() q USING (source_id)
    CROSS JOIN LATERAL pgtrickle._count_changes(t.source_id, NULL) b
    ORDER BY 2
$fn$;
