-- Jobs to be done. %(queues)s, %(worker)s, %(most)s.
SELECT id, name, data, epoch, priority, attempt, attempts, expire_seconds
  FROM _lease_jobs(%(queues)s::text[], %(worker)s::int, %(most)s::int)
