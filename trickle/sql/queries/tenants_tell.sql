-- A word for all supervisors that have their home here. %(word)s.
SELECT pg_notify('pgtrickle_supervisor', %(word)s)
