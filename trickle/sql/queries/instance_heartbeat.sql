-- Still alive; rows of instances that have been gone for a while are cleared away; and which members have been silent
-- for too long, though their sessions hold their membership. %(instance_id)s, %(group_id)s, %(silent_seconds)s.
WITH beat AS (
    UPDATE pgtrickle.pgt_instances AS i
       SET heartbeat_at = clock_timestamp()
     WHERE i.group_id = %(group_id)s
       AND i.instance_id = %(instance_id)s
     RETURNING i.instance_id
), member AS (
    SELECT i.instance_id, i.group_id, h.pid IS NOT NULL AS is_live
      FROM pgtrickle.pgt_instances AS i
      LEFT JOIN pgtrickle._memberships AS h USING (group_id, instance_id)
     WHERE (i.group_id, i.instance_id) <> (%(group_id)s, %(instance_id)s)
       AND i.heartbeat_at < clock_timestamp() - make_interval(secs => %(silent_seconds)s)
), gone AS (
    DELETE FROM pgtrickle.pgt_instances AS i
     USING member AS m
     WHERE i.group_id = m.group_id
       AND i.instance_id = m.instance_id
       AND NOT m.is_live
       AND i.heartbeat_at < now() - interval '5 minutes'
)
SELECT (SELECT count(*) FROM beat),
       ARRAY(SELECT m.instance_id FROM member AS m WHERE m.is_live AND m.group_id = %(group_id)s)
