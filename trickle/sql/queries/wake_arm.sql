-- Try to arm these bells; of each that is not ours now: 'open' when a writer in flight has found it so, else somebody
-- else has armed it. %(bells)s.
SELECT b.bell,
       CASE WHEN pg_try_advisory_lock(pgtrickle._bell_class(), b.bell) THEN 'ours'
            WHEN NOT pg_try_advisory_lock_shared(pgtrickle._bell_class(), b.bell) THEN 'theirs'
            WHEN pg_advisory_unlock_shared(pgtrickle._bell_class(), b.bell) THEN 'open' END
  FROM unnest(%(bells)s::int[]) AS b(bell)
