-- A batch of each kind of maintenance; in how many seconds the next job is due, and the next schedule: 0 when nobody has
-- planned it yet. %(worker)s, %(most)s.
SELECT _due_jobs(%(most)s::int),
       _reclaim_jobs(%(worker)s::int, %(most)s::int),
       _prune_jobs(%(most)s::int),
       (SELECT extract(epoch FROM j.start_after - clock_timestamp())::float8 FROM job j
         WHERE j.state IN ('created', 'retry') AND NOT j.is_ready AND NOT j.is_parked ORDER BY j.start_after LIMIT 1),
       (SELECT coalesce(extract(epoch FROM s.next_on - clock_timestamp()), 0)::float8
          FROM job_schedules s WHERE s.enabled ORDER BY s.next_on NULLS FIRST LIMIT 1)
