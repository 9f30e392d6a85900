-- End the session of a refresh subprocess that we killed, so that its row locks are free at once.
SELECT pg_terminate_backend(a.pid)
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.pid = %(backend_pid)s
   AND starts_with(a.application_name, 'pg_trickle_refresh_')
   AND a.usename = current_user
