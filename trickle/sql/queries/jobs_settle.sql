-- Ordering keys whose first job nobody would take up.
SELECT pgtrickle._settle_jobs()
