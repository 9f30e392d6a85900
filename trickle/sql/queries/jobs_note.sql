-- The jobs about which there is news, as one document.
SELECT pgtrickle._note_jobs(%(jobs)s::jsonb)
