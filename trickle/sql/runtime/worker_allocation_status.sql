-- What this database uses of the server's pool, what it may use now, and how many units wait.
CREATE FUNCTION pgtrickle.worker_allocation_status()
RETURNS TABLE (db_name text, workers_used int, workers_quota int, workers_queued int, cluster_active int, cluster_max int)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT current_database()::text, count(*) FILTER (WHERE a.db_name = current_database())::int,
           CASE WHEN q.quota <= 0 THEN p.per_database
                WHEN count(a.pid) < ceil(0.8 * p.pool) THEN greatest(q.quota * 3 / 2, q.quota + 1)
                ELSE q.quota END,
           (SELECT count(*)::int FROM pgtrickle.parallel_job_status(0) j WHERE j.status = 'QUEUED'),
           count(a.pid)::int, p.pool
    FROM pgtrickle._pool_size() p
    CROSS JOIN (SELECT pgtrickle._setting_number('per_database_worker_quota', '0')::int AS quota) q
    LEFT JOIN pgtrickle._active_refreshes() a ON true
    GROUP BY p.pool, p.per_database, q.quota
$fn$;
