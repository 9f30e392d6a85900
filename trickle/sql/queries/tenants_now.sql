-- The moment by the clock of the database, which is that of its schedules.
SELECT clock_timestamp()
