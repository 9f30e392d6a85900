CREATE FUNCTION pgtrickle.pgt_status()
RETURNS TABLE (name text, status text, refresh_mode text, is_populated boolean, consecutive_errors int,
               schedule text, data_timestamp timestamptz, staleness interval, scc_id int, requested_mode text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_schema || '.' || s.pgt_name, s.status, s.refresh_mode, s.is_populated, s.consecutive_errors,
           s.schedule, s.data_timestamp,
           CASE s.refresh_mode WHEN 'IMMEDIATE' THEN pgtrickle._staleness(s) ELSE now() - s.data_timestamp END, s.scc_id,
           s.requested_mode
    FROM pgtrickle.pgt_stream_tables s
    ORDER BY 1
$fn$;
