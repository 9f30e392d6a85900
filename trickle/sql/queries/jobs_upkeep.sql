-- A batch of each kind of maintenance; in how many seconds the next job is due, and the next schedule: 0 when nobody has
-- planned it yet. %(worker)s, %(most)s.
SELECT pgtrickle._due_jobs(%(most)s::int),
       pgtrickle._reclaim_jobs(%(worker)s::int, %(most)s::int),
       pgtrickle._prune_jobs(%(most)s::int),
       (SELECT extract(epoch FROM j.start_after - clock_timestamp())::float8 FROM pgtrickle.job j
         WHERE j.state IN ('created', 'retry') AND NOT j.is_ready AND NOT j.is_parked ORDER BY j.start_after LIMIT 1),
       (SELECT coalesce(extract(epoch FROM s.next_on - clock_timestamp()), 0)::float8
          FROM pgtrickle.job_schedules s WHERE s.enabled ORDER BY s.next_on NULLS FIRST LIMIT 1)
