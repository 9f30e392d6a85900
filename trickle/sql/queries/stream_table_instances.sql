-- Instances that have announced themselves, whether their session still lives, and when each was last heard of.
SELECT i.instance_id, i.group_id, i.hostname, i.pid, i.capacity, i.stream_tables, i.is_live, i.started_at,
       i.heartbeat_at, extract(epoch FROM i.heartbeat_age)::float8 AS silent_seconds
  FROM pgtrickle.instances AS i
 ORDER BY i.group_id, i.instance_id
