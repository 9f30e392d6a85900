-- Attempts that are handed back. %(ids)s, %(epochs)s.
SELECT _release_jobs(%(ids)s::bigint[], %(epochs)s::bigint[])
