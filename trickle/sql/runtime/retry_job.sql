-- Let a job that failed or was cancelled run again, with all its attempts. Returns whether it is one of these.
CREATE FUNCTION pgtrickle.retry_job(job_id bigint) RETURNS boolean
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    queue text;
BEGIN
    UPDATE pgtrickle.job j
    SET state = 'retry', retry_count = 0, started_on = NULL, completed_on = NULL, keep_until = NULL, is_ready = true,
        is_parked = false, start_after = clock_timestamp()
    WHERE j.id = job_id AND j.state IN ('failed', 'cancelled')
    RETURNING j.name INTO queue;
    IF queue IS NULL THEN
        RETURN false;
    END IF;
    DELETE FROM pgtrickle.job_cancel_requests c WHERE c.job_id = retry_job.job_id;
    PERFORM pgtrickle._ring_jobs(queue);
    RETURN true;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'job % cannot run again: another one with its singleton key has not ended', job_id
        USING ERRCODE = '55000', HINT = 'Try again when that one has ended, or cancel it with pgtrickle.cancel_job(id).';
END
$fn$;
