-- Acknowledge attempts that succeeded, then lease: how many were still ours, with each job that is to be done, or with none.
-- One statement, which is one message, one plan and one transaction. %(ids)s, %(epochs)s, %(outputs)s, %(queues)s,
-- %(worker)s, %(most)s.
SELECT done.ours, l.id, l.name, l.data, l.epoch, l.priority, l.attempt, l.attempts, l.expire_seconds
  FROM (SELECT cardinality(_complete_jobs(%(ids)s::bigint[], %(epochs)s::bigint[], %(outputs)s::text[]::jsonb[]))) AS done(ours)
  LEFT JOIN LATERAL
       -- Reading what came of the first makes the second wait for it.
       _lease_jobs(%(queues)s::text[], %(worker)s::int, CASE WHEN done.ours >= 0 THEN %(most)s::int END) AS l ON true
