-- Which sessions have armed these bells. %(bells)s.
SELECT l.objid::int, l.pid
  FROM pg_catalog.pg_locks AS l
 WHERE l.locktype = 'advisory'
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
   AND l.classid::bigint = pgtrickle._bell_class()
   AND l.objid::int = ANY (%(bells)s::int[])
   AND l.objsubid = 2
   AND l.mode = 'ExclusiveLock'
   AND l.granted
