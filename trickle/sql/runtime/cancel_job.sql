-- Cancel a job. One that waits ends at once, or, where it has an ordering key, as soon as its turn comes; one that is
-- active is asked to stop. Returns whether there was anything to cancel.
CREATE FUNCTION pgtrickle.cancel_job(job_id bigint) RETURNS boolean
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
BEGIN
    UPDATE pgtrickle.job j
    SET state = 'cancelled', completed_on = clock_timestamp(), keep_until = clock_timestamp() + j.keep_for
    WHERE j.id = job_id AND j.state IN ('created', 'retry') AND j.ordering_key IS NULL;
    IF FOUND THEN
        RETURN true;
    END IF;
    INSERT INTO pgtrickle.job_cancel_requests (job_id)
    SELECT j.id FROM pgtrickle.job j WHERE j.id = job_id AND j.state IN ('created', 'retry', 'active')
    ON CONFLICT DO NOTHING;
    RETURN FOUND OR EXISTS (SELECT FROM pgtrickle.job_cancel_requests c JOIN pgtrickle.job j ON j.id = c.job_id
                            WHERE j.id = job_id AND j.state IN ('created', 'retry', 'active'));
END
$fn$;
