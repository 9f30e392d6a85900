-- How many of these keys the session with this process id really holds, as the server sees it.
-- pg_locks shows a key as two unsigned numbers. %(pid)s, %(groups)s, %(names)s.
SELECT count(*)
  FROM unnest(%(groups)s::int[], %(names)s::int[]) AS k(group_key, name_key)
  JOIN pg_catalog.pg_locks AS l
    ON l.locktype = 'advisory'
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
   AND l.classid::bigint = k.group_key::bigint & 4294967295
   AND l.objid::bigint = k.name_key::bigint & 4294967295
   AND l.objsubid = 2
   AND l.granted
   AND l.pid = pg_backend_pid()
   AND l.pid = %(pid)s
