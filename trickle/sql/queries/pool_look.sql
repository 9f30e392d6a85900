-- What the other instances on this server say of themselves, in whatever database, and the second it is.
SELECT extract(epoch FROM clock_timestamp())::bigint, a.pid, a.datname, a.application_name
  FROM (SELECT 1) AS always
  LEFT JOIN pg_catalog.pg_stat_activity AS a ON starts_with(a.application_name, 'pg_trickle_lock uses=')
