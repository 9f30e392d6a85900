-- Transactions that have been open for long: changes newer than the oldest of them cannot be pruned.
SELECT 'session ' || a.pid AS holder,
       a.usename::text AS role,
       a.application_name,
       a.state,
       extract(epoch FROM now() - a.xact_start)::float8 AS open_seconds,
       format('SELECT pg_terminate_backend(%%s)', a.pid) AS ending
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.datid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
   AND a.backend_xid IS NOT NULL
   AND a.xact_start < now() - make_interval(secs => %(seconds)s)
 UNION ALL
SELECT 'prepared transaction ' || p.gid, p.owner::text, NULL, 'prepared', extract(epoch FROM now() - p.prepared)::float8,
       format('ROLLBACK PREPARED %%L', p.gid)
  FROM pg_catalog.pg_prepared_xacts AS p
 WHERE p.database = current_database()
   AND p.prepared < now() - make_interval(secs => %(seconds)s)
 ORDER BY 5 DESC
