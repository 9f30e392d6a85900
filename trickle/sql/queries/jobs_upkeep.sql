-- A batch of each kind of maintenance, and in how many seconds the next one is due. %(worker)s, %(most)s.
SELECT pgtrickle._due_jobs(%(most)s::int),
       pgtrickle._reclaim_jobs(%(worker)s::int, %(most)s::int),
       pgtrickle._prune_jobs(%(most)s::int),
       (SELECT extract(epoch FROM j.start_after - clock_timestamp())::float8 FROM pgtrickle.job j
         WHERE j.state IN ('created', 'retry') AND NOT j.is_ready AND NOT j.is_parked ORDER BY j.start_after LIMIT 1)
