CREATE FUNCTION pgtrickle._diagnose_errors(st pgtrickle.pgt_stream_tables)
RETURNS TABLE (event_time timestamptz, error_type text, error_message text, remediation text, error_code text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT r.end_time, k.kind, r.error_message, k.remedy, r.error_code
    FROM pgtrickle.pgt_refresh_history r
    CROSS JOIN LATERAL (VALUES (
        CASE WHEN r.error_code IN ('42P01', '42703', '42704', '42883', '42804', '42P16', '42P17', '3F000') THEN 'schema'
             WHEN left(r.error_code, 2) = 'XX' THEN 'correctness'
             WHEN left(r.error_code, 2) IN ('40', '53', '54') OR r.error_code IN ('57014', '55P03') THEN 'performance'
             WHEN left(r.error_code, 2) IN ('08', '57', '58', 'F0') THEN 'infrastructure'
             ELSE 'user' END)) c(kind)
    CROSS JOIN (VALUES (st.pgt_schema || '.' || st.pgt_name)) n(label)
    CROSS JOIN LATERAL (VALUES (c.kind,
        CASE c.kind
            WHEN 'schema' THEN format('A table, column or function of the query is gone or has changed. Restore it, or give '
                'the stream table another query: SELECT pgtrickle.alter_stream_table(%1$L, query => …); then '
                'SELECT pgtrickle.resume_stream_table(%1$L).', label)
            WHEN 'correctness' THEN format('It was stopped rather than left wrong. Report it with the answer of '
                'SELECT pgtrickle.export_definition(%1$L), then SELECT pgtrickle.resume_stream_table(%1$L) and '
                'run `trickle refresh --full %2$s`.', label, label)
            WHEN 'performance' THEN 'It ran out of time, locks or memory and is tried again by itself. Look for long '
                'transactions and missing indexes: SELECT * FROM pgtrickle.health_check(); SELECT * FROM pgtrickle.missing_indexes().'
            WHEN 'infrastructure' THEN 'The server or the connection went away. It is tried again by itself.'
            ELSE format('The query fails over the rows as they are, or a right is missing. Mend the rows, the query or the '
                'right, then SELECT pgtrickle.resume_stream_table(%L).', label) END)) k(kind, remedy)
    WHERE r.pgt_id = st.pgt_id AND r.status = 'FAILED'
    ORDER BY r.start_time DESC, r.refresh_id DESC
    LIMIT 5
$fn$;
