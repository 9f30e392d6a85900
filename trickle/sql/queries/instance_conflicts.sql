-- Those of these stream tables that another session of the group holds under another claim than ours: it counts
-- shards otherwise, or is finishing what it began before. Asked after claims are taken and before anything is done
-- with them, so that of two who claim one stream table in two ways at least one sees the other.
-- %(group_id)s, %(pgt_ids)s, %(backend_pid)s.
WITH claimed AS MATERIALIZED (
    SELECT l.objid::bigint AS key
      FROM pg_catalog.pg_locks AS l
     WHERE l.locktype = 'advisory'
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
       AND l.classid::bigint = hashtext(%(group_id)s)::bigint & 4294967295
       AND l.objsubid = 2
       AND l.mode = 'ExclusiveLock'
       AND l.granted
       AND l.pid <> %(backend_pid)s
    EXCEPT
    SELECT hashtext('instance:' || i.instance_id)::bigint & 4294967295
      FROM pgtrickle.pgt_instances AS i
     WHERE i.group_id = %(group_id)s
)
SELECT DISTINCT k.pgt_id
  FROM pgtrickle._claim_keys AS k
  JOIN claimed AS c ON c.key = k.key
 WHERE k.group_id = %(group_id)s
   AND k.pgt_id = ANY (%(pgt_ids)s::bigint[])
