-- Announce this instance. The name is ours: we hold the membership lock.
INSERT INTO pgtrickle.pgt_instances AS i
       (instance_id, group_id, hostname, pid, backend_pid, capacity, lock_budget, shard_counts,
        started_at, heartbeat_at)
VALUES (%(instance_id)s, %(group_id)s, %(hostname)s, %(pid)s, %(backend_pid)s, %(capacity)s, %(lock_budget)s,
        %(shard_counts)s, now(), now())
    ON CONFLICT (group_id, instance_id) DO UPDATE
   SET hostname = excluded.hostname,
       pid = excluded.pid,
       backend_pid = excluded.backend_pid,
       capacity = excluded.capacity,
       lock_budget = excluded.lock_budget,
       shard_counts = excluded.shard_counts,
       waits_for = excluded.waits_for,
       started_at = excluded.started_at,
       heartbeat_at = excluded.heartbeat_at
