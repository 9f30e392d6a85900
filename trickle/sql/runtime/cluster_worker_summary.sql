-- The databases of this server where instances are at work; one row without a database where none is.
CREATE FUNCTION pgtrickle.cluster_worker_summary()
RETURNS TABLE (db_oid bigint, db_name text, active_workers int, scheduler_pid int, scheduler_running boolean,
               total_active_workers int)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH active AS MATERIALIZED (SELECT a.pid, a.db_oid FROM pgtrickle._active_refreshes() a),
    instance AS (
        SELECT a.datid, a.datname, min(a.pid) FILTER (WHERE starts_with(a.application_name, 'pg_trickle_lock')) AS pid
        FROM pg_stat_activity a
        WHERE starts_with(a.application_name, 'pg_trickle_') AND a.datid IS NOT NULL
        GROUP BY a.datid, a.datname
    )
    SELECT i.datid::bigint, i.datname::text,
           CASE WHEN i.datid IS NOT NULL THEN (SELECT count(*)::int FROM active WHERE active.db_oid = i.datid) END,
           i.pid, i.pid IS NOT NULL, (SELECT count(*)::int FROM active)
    FROM (SELECT 1) always
    LEFT JOIN instance i ON true
    ORDER BY i.datname
$fn$;
