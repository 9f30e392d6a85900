-- How far attempts are. %(ids)s, %(epochs)s, %(progresses)s.
SELECT pgtrickle._progress_jobs(%(ids)s::bigint[], %(epochs)s::bigint[], %(progresses)s::text[]::jsonb[])
