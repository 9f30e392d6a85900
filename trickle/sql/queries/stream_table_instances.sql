-- Instances that have announced themselves, and how long ago each was last heard of.
SELECT i.instance_id, i.group_id, i.hostname, i.pid, i.capacity, i.started_at, i.heartbeat_at,
       now() - i.heartbeat_at AS silent_for
  FROM pgtrickle.instances AS i
 ORDER BY i.group_id, i.instance_id
