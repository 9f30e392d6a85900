-- The pool of the server: how many refreshes run now, and how many may.
CREATE FUNCTION pgtrickle.worker_pool_status()
RETURNS TABLE (active_workers int, max_workers int, per_db_cap int, parallel_mode text, idle_workers int,
               last_scheduler_tick_unix bigint, ring_overflow_count bigint, citus_failure_total bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT a.n, p.pool, p.per_database, pgtrickle._setting('parallel_refresh_mode', 'on'), greatest(p.pool - a.n, 0),
           (SELECT extract(epoch FROM max(i.heartbeat_at))::bigint FROM pgtrickle.pgt_instances i WHERE NOT starts_with(i.group_id, 'relay:')), 0::bigint, 0::bigint
    FROM pgtrickle._pool_size() p
    CROSS JOIN (SELECT count(*)::int AS n FROM pgtrickle._active_refreshes()) a
$fn$;
