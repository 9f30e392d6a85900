-- A doorbell for the instances: `members` when somebody joined, left, ended or gave something up, `due` and `open` with
-- numbers of stream tables and of bells. They look themselves. %(payload)s.
SELECT pg_notify('pgtrickle_wake', %(payload)s)
