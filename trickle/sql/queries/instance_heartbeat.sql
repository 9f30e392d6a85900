-- Still alive; rows of instances that have been gone for a while are cleared away; and which members have been silent
-- for too long, though their sessions hold their membership. %(instance_id)s, %(group_id)s, %(silent_seconds)s.
WITH beat AS (
    UPDATE pgtrickle.pgt_instances AS i
       SET heartbeat_at = clock_timestamp()
     WHERE i.instance_id = %(instance_id)s
     RETURNING i.instance_id
), member AS (
    SELECT i.instance_id, i.group_id, l.pid IS NOT NULL AS is_live
      FROM pgtrickle.pgt_instances AS i
      LEFT JOIN pg_catalog.pg_locks AS l
        ON l.locktype = 'advisory'
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
       AND l.classid::bigint = hashtext(i.group_id)::bigint & 4294967295
       AND l.objid::bigint = hashtext('instance:' || i.instance_id)::bigint & 4294967295
       AND l.objsubid = 2
       AND l.mode = 'ExclusiveLock'
       AND l.granted
     WHERE i.instance_id <> %(instance_id)s
       AND i.heartbeat_at < clock_timestamp() - make_interval(secs => %(silent_seconds)s)
), gone AS (
    DELETE FROM pgtrickle.pgt_instances AS i
     USING member AS m
     WHERE i.instance_id = m.instance_id
       AND NOT m.is_live
       AND i.heartbeat_at < now() - interval '5 minutes'
)
SELECT (SELECT count(*) FROM beat),
       ARRAY(SELECT m.instance_id FROM member AS m WHERE m.is_live AND m.group_id = %(group_id)s)
