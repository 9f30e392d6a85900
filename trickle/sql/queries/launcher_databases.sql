-- The databases we may connect to, the key of the claim of each, and whether somebody waits until nobody is connected:
-- DROP and RENAME lock the database exclusively, a copy locks it shared, and both wait five seconds.
SELECT d.oid::bigint, d.datname, hashtext(d.datname), EXISTS (
           SELECT FROM pg_catalog.pg_locks AS l
            WHERE l.locktype = 'object'
              AND l.classid = 'pg_catalog.pg_database'::regclass
              AND l.objid = d.oid
              AND l.mode IN ('AccessExclusiveLock', 'ShareLock'))
  FROM pg_catalog.pg_database AS d
 WHERE d.datallowconn
   AND NOT d.datistemplate
   AND has_database_privilege(d.oid, 'CONNECT')
 ORDER BY d.datname
