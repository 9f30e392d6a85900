-- What the server has room for, and what of it is taken: connections, locks, processes of its own.
SELECT current_setting('max_connections')::int AS max_connections,
       current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.datid IS NOT NULL)::int AS used,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a
         WHERE a.datid IS NOT NULL AND a.application_name LIKE 'pg\_trickle\_%%')::int AS used_by_us,
       current_setting('max_locks_per_transaction')::bigint
           * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint) AS lock_room,
       (SELECT count(*) FROM pg_catalog.pg_locks AS l WHERE NOT l.fastpath)::bigint AS locks_held,
       current_setting('max_worker_processes')::int AS max_worker_processes,
       current_setting('max_parallel_workers')::int AS max_parallel_workers,
       pgtrickle._setting_number('max_concurrent_refreshes', '4')::int AS refreshes_of_an_instance
