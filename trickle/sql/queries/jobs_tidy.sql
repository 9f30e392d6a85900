-- Jobs of instances that are gone, and old ones.
SELECT pgtrickle._tidy_jobs()
