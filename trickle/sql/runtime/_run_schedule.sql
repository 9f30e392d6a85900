-- What this schedule had planned for `planned` is due: make its job, and plan the next. Does nothing where another runner was
-- first. With `planned` NULL nothing was planned yet, and nothing is made. Without a next moment the schedule is switched off.
CREATE FUNCTION pgtrickle._run_schedule(schedule_name text, planned timestamptz, next_on timestamptz, problem text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    ours pgtrickle.job_schedules;
    made bigint;
BEGIN
    UPDATE pgtrickle.job_schedules s
    SET next_on = _run_schedule.next_on, enabled = _run_schedule.next_on IS NOT NULL, problem = _run_schedule.problem
    WHERE s.schedule_name = _run_schedule.schedule_name AND s.next_on IS NOT DISTINCT FROM planned AND s.enabled
    RETURNING s.* INTO ours;
    IF ours.schedule_name IS NULL OR planned IS NULL THEN
        RETURN;
    END IF;
    made := pgtrickle.enqueue(
        ours.name, ours.data, ours.priority, NULL, ours.expire_in, ours.retry_limit, ours.retry_delay, ours.retry_backoff,
        CASE WHEN NOT ours.may_overlap THEN 'schedule ' || ours.schedule_name END, ours.ordering_key, ours.dead_letter, ours.keep_for);
    UPDATE pgtrickle.job_schedules s
    SET last_on = CASE WHEN made IS NULL THEN s.last_on ELSE clock_timestamp() END, last_job = coalesce(made, s.last_job),
        skipped = s.skipped + (made IS NULL)::int
    WHERE s.schedule_name = _run_schedule.schedule_name;
END
$fn$;
