-- Open these bells of ours: whoever enqueues need not tell us any more. %(bells)s.
SELECT pg_advisory_unlock(_job_bell_class(), b.bell) FROM unnest(%(bells)s::int[]) AS b(bell)
