-- Try to arm the bells of these outboxes: 'ours' and 'theirs' ring for us, 'open' does not, because a publisher is on its
-- way or was. %(bells)s.
SELECT b.bell,
       CASE WHEN pg_try_advisory_lock(pgtrickle._outbox_bell_class(), b.bell) THEN 'ours'
            WHEN NOT pg_try_advisory_lock_shared(pgtrickle._outbox_bell_class(), b.bell) THEN 'theirs'
            WHEN pg_advisory_unlock_shared(pgtrickle._outbox_bell_class(), b.bell) THEN 'open' END
  FROM unnest(%(bells)s::int[]) AS b(bell)
