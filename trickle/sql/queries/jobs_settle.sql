-- Ordering keys whose first job nobody would take up.
SELECT _settle_jobs()
