-- Hold the lock on this number of a runner, or on a new one, as long as the session lasts. %(worker)s.
SELECT w.number, pg_try_advisory_lock(_job_worker_class(), w.number)
  FROM (SELECT coalesce(%(worker)s::int, nextval('job_worker_seq')::int) OFFSET 0) AS w(number)
