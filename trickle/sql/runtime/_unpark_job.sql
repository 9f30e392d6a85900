-- Nothing of its ordering key is before this job any more.
CREATE FUNCTION pgtrickle._unpark_job(job_id bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    UPDATE pgtrickle.job j SET is_parked = false, is_ready = j.start_after <= clock_timestamp()
    WHERE j.id = job_id AND j.is_parked AND j.state IN ('created', 'retry');
    SELECT pgtrickle._ring_jobs(j.name) FROM pgtrickle.job j WHERE j.id = job_id
$fn$;
