-- How far attempts are. %(ids)s, %(epochs)s, %(progresses)s.
SELECT _progress_jobs(%(ids)s::bigint[], %(epochs)s::bigint[], %(progresses)s::text[]::jsonb[])
