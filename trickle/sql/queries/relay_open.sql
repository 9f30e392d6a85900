-- Open these bells of ours: publishers need not tell us any more. %(bells)s.
SELECT pg_advisory_unlock(pgtrickle._outbox_bell_class(), b.bell)
  FROM unnest(%(bells)s::int[]) AS b(bell)
