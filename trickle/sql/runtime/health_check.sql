-- What is well and what is not, one row for each check, with evidence. Worst first is not the order: it is always the same.
CREATE FUNCTION pgtrickle.health_check() RETURNS TABLE (check_name text, severity text, detail text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH info AS MATERIALIZED (
        SELECT i.pgt_schema || '.' || i.pgt_name AS name, i.* FROM pgtrickle.stream_tables_info i
    ), buffer AS MATERIALIZED (
        SELECT b.source_table, max(b.pending_rows) AS pending FROM pgtrickle.change_buffer_sizes() b
        GROUP BY b.source_table
    ), fault AS MATERIALIZED (
        SELECT t.source_schema || '.' || t.source_name AS source, pgtrickle._capture_fault(t.source_relid, t.source_id) AS words
        FROM pgtrickle._doubtful_captures() t
        UNION ALL
        SELECT t.source_schema || '.' || t.source_name, 'the table was dropped'
        FROM pgtrickle.pgt_change_tracking t WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.source_relid)
    ), found(place, check_name, severity, evidence, well) AS (
        SELECT 1, 'scheduler_running', 'ERROR',
               CASE pgtrickle._scheduler_status() WHEN 'ACTIVE' THEN NULL
                    ELSE 'no instance of `trickle worker` is connected to this database' END,
               'an instance is at work'
        UNION ALL
        SELECT 2, 'error_tables', 'ERROR', string_agg(format('%s is %s: %s', name, status, last_error_message), '; ' ORDER BY name),
               'none is stopped' FROM info WHERE status IN ('ERROR', 'SUSPENDED')
        UNION ALL
        SELECT 3, 'stale_tables', 'WARN', string_agg(format('%s by %s', name, date_trunc('second', staleness)), '; ' ORDER BY name),
               'every schedule is kept' FROM info WHERE stale
        UNION ALL
        SELECT 4, 'needs_reinit', 'WARN', string_agg(name, ', ' ORDER BY name), 'none waits for a full refresh'
        FROM info WHERE needs_reinit
        UNION ALL
        SELECT 5, 'consecutive_errors', 'WARN', string_agg(format('%s (%s)', name, consecutive_errors), ', ' ORDER BY name),
               'no refresh failed last' FROM info WHERE consecutive_errors > 0 AND status NOT IN ('ERROR', 'SUSPENDED')
        UNION ALL
        SELECT 6, 'buffer_growth', 'WARN', string_agg(format('%s rows of %s wait', pending, source_table), '; ' ORDER BY source_table),
               'no change buffer holds more than 10000 rows that wait' FROM buffer WHERE pending > 10000
        UNION ALL
        SELECT 7, 'capture', 'ERROR', string_agg(format('%s: %s', source, words), '; ' ORDER BY source),
               'complete on every source' FROM fault WHERE words IS NOT NULL
        UNION ALL
        SELECT 8, 'old_transactions', 'WARN',
               string_agg(format('session %s of %s (%s) is open for %s', a.pid, a.usename, a.state,
                                 date_trunc('second', now() - a.xact_start)), '; ' ORDER BY a.xact_start),
               'none that writes is open for more than a minute'
        FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.backend_xid IS NOT NULL AND a.xact_start < now() - interval '1 minute'
        UNION ALL
        SELECT 9, 'attachment_owner_check', 'WARN', string_agg(name, ', ' ORDER BY name), 'every owner may still act'
        FROM info WHERE NOT EXISTS (SELECT FROM pg_roles r JOIN pg_class c ON c.relowner = r.oid WHERE c.oid = pgt_relid)
    )
    SELECT check_name, CASE WHEN evidence IS NULL THEN 'OK' ELSE severity END, coalesce(evidence, well)
    FROM found ORDER BY place
$fn$;
