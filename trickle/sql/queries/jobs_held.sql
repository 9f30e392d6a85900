-- Attempts that are still ours, and whether they are to stop. %(ids)s, %(epochs)s.
SELECT id, cancel_requested FROM _held_jobs(%(ids)s::bigint[], %(epochs)s::bigint[])
