-- How a job is doing; no row when it is gone.
CREATE FUNCTION pgtrickle.job_status(job_id bigint)
RETURNS TABLE (name text, state text, attempt int, attempts int, progress jsonb, output jsonb, cancel_requested boolean,
               created_on timestamptz, start_after timestamptz, started_on timestamptz, completed_on timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT j.name, j.state, j.retry_count + (j.started_on IS NOT NULL)::int, j.retry_limit + 1, j.progress, j.output,
           EXISTS (SELECT FROM pgtrickle.job_cancel_requests c WHERE c.job_id = j.id),
           j.created_on, j.start_after, j.started_on, j.completed_on
    FROM pgtrickle.job j WHERE j.id = job_id
$fn$;
