-- Instances that have announced themselves, whether their session still lives, and when each was last heard of.
SELECT i.instance_id, i.group_id, i.hostname, i.pid, i.capacity, i.stream_tables, i.is_live, i.started_at,
       i.heartbeat_at, i.heartbeat_age AS silent_for
  FROM pgtrickle.instances AS i
 ORDER BY i.group_id, i.instance_id
