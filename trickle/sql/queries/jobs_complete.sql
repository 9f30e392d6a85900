-- Attempts that succeeded. %(ids)s, %(epochs)s, %(outputs)s.
SELECT _complete_jobs(%(ids)s::bigint[], %(epochs)s::bigint[], %(outputs)s::text[]::jsonb[])
