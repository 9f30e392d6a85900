-- Attempts that failed. %(ids)s, %(epochs)s, %(outputs)s, %(finals)s.
SELECT pgtrickle._fail_jobs(%(ids)s::bigint[], %(epochs)s::bigint[], %(outputs)s::text[]::jsonb[], %(finals)s::boolean[])
