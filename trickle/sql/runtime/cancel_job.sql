-- Cancel a job. One that waits ends at once, or, where it has an ordering key, as soon as its turn comes; one that is
-- active is asked to stop. Returns whether there was anything to cancel.
CREATE FUNCTION pgtrickle.cancel_job(job_id bigint) RETURNS boolean
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    UPDATE pgtrickle.job j
    SET cancel_requested = true,
        state = CASE WHEN j.state <> 'active' AND j.ordering_key IS NULL THEN 'cancelled' ELSE j.state END,
        completed_on = CASE WHEN j.state <> 'active' AND j.ordering_key IS NULL THEN clock_timestamp() END,
        keep_until = CASE WHEN j.state <> 'active' AND j.ordering_key IS NULL THEN clock_timestamp() + j.keep_for END,
        start_after = CASE j.state WHEN 'active' THEN j.start_after ELSE least(j.start_after, clock_timestamp()) END,
        is_ready = j.is_ready OR (j.state <> 'active' AND NOT j.is_parked)
    WHERE j.id = job_id AND j.state IN ('created', 'retry', 'active');
    RETURN FOUND;
END
$fn$;
