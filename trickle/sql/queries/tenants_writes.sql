-- For each schema of jobs of this database a mark that changes when anything is written there.
SELECT n.nspname, sum(pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid))::text
FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relname IN ('job', 'job_schedules')
WHERE n.nspname = 'pgtrickle' OR n.nspname IN (SELECT k.schema_name FROM pgtrickle.job_schemas k)
GROUP BY n.nspname
