-- The sessions of the live launchers of this group in this database. %(group)s, %(name)s: what a member holds.
SELECT DISTINCT l.pid
  FROM pg_catalog.pg_locks AS l
 WHERE l.locktype = 'advisory'
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
   AND l.classid::bigint = hashtext(%(group)s)::bigint & 4294967295
   AND l.objid::bigint = hashtext(%(name)s)::bigint & 4294967295
   AND l.objsubid = 2
   AND l.mode = 'ShareLock'
   AND l.granted
 ORDER BY l.pid
