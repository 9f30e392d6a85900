-- Have nothing made by this schedule any more; what it has made stays. Returns whether there was one.
CREATE FUNCTION pgtrickle.unschedule_job(schedule_name text) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    WITH gone AS (DELETE FROM pgtrickle.job_schedules s WHERE s.schedule_name = unschedule_job.schedule_name RETURNING s.schedule_name)
    SELECT EXISTS (SELECT FROM gone)
$fn$;
