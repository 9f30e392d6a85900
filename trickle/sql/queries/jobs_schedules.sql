-- The schedules that are due, or of which nobody has planned anything yet, and what time it is.
SELECT s.schedule_name, s.cron, s.time_zone, s.next_on, clock_timestamp()
FROM job_schedules s
WHERE s.enabled AND (s.next_on IS NULL OR s.next_on <= clock_timestamp())
