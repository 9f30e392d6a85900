-- Attempts that failed. %(ids)s, %(epochs)s, %(outputs)s, %(finals)s.
SELECT _fail_jobs(%(ids)s::bigint[], %(epochs)s::bigint[], %(outputs)s::text[]::jsonb[], %(finals)s::boolean[])
