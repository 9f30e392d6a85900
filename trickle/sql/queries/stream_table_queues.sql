-- The schemas of jobs of this database: how many versions of rows nobody can see any more, how many can be seen, whether
-- autovacuum may remove them, for how long the first that is ready has waited, and how many runners live.
SELECT n.nspname AS schema_name,
       pg_stat_get_dead_tuples(c.oid) AS dead_rows,
       pg_stat_get_live_tuples(c.oid) AS live_rows,
       current_setting('autovacuum')::boolean AND coalesce(c.reloptions::text !~ 'autovacuum_enabled=(false|off|no|0)', true) AS is_vacuumed,
       CASE WHEN n.nspname = 'pgtrickle' THEN (
           SELECT extract(epoch FROM clock_timestamp() - j.start_after)::float8 FROM pgtrickle.job j
           WHERE j.state IN ('created', 'retry') AND j.is_ready ORDER BY j.name, j.priority DESC, j.id LIMIT 1) END AS ready_seconds,
       (SELECT count(*) FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.mode = 'ExclusiveLock'
          AND l.classid = pgtrickle._job_worker_class()::oid
          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) AS runners
FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'job' AND c.relkind = 'r'
WHERE n.nspname = 'pgtrickle' OR n.nspname IN (SELECT k.schema_name FROM pgtrickle.job_schemas k)
ORDER BY n.nspname
