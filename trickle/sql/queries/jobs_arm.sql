-- Try to arm the bells of these queues, but for those that this session holds: 'ours' and 'theirs' ring for us, 'open' does
-- not, because somebody is about to enqueue, or because a transaction that has notified could not be prepared.
-- %(queues)s, %(ours)s.
SELECT b.bell,
       CASE WHEN b.bell = ANY (%(ours)s::int[]) THEN 'ours'
            WHEN NOT pgtrickle._job_bells_work() THEN 'open'
            WHEN pg_try_advisory_lock(_job_bell_class(), b.bell) THEN 'ours'
            WHEN NOT pg_try_advisory_lock_shared(_job_bell_class(), b.bell) THEN 'theirs'
            WHEN pg_advisory_unlock_shared(_job_bell_class(), b.bell) THEN 'open' END
  FROM (SELECT DISTINCT hashtext(q.name) & 127 FROM unnest(%(queues)s::text[]) AS q(name)) AS b(bell)
