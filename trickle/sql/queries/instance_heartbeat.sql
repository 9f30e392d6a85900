-- Still alive; and rows of instances that have been gone for a while are cleared away.
WITH beat AS (
    UPDATE pgtrickle.pgt_instances AS i
       SET heartbeat_at = now()
     WHERE i.instance_id = %(instance_id)s
     RETURNING i.instance_id
), gone AS (
    DELETE FROM pgtrickle.pgt_instances AS i
     WHERE i.instance_id <> %(instance_id)s
       AND i.heartbeat_at < now() - interval '5 minutes'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks AS l
                        WHERE l.locktype = 'advisory'
                          AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                                             WHERE d.datname = current_database())
                          AND l.classid::bigint = hashtext(i.group_id)::bigint & 4294967295
                          AND l.objid::bigint = hashtext('instance:' || i.instance_id)::bigint & 4294967295
                          AND l.objsubid = 2)
)
SELECT count(*) FROM beat
