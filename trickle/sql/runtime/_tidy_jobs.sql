-- End the jobs of instances that are gone, and remove a batch of those that ended long ago.
CREATE FUNCTION pgtrickle._tidy_jobs(keep interval DEFAULT '1 hour', batch_rows int DEFAULT 10000) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    UPDATE pgtrickle.pgt_scheduler_jobs j
    SET status = 'RETRYABLE_FAILED', finished_at = clock_timestamp(), retryable = true,
        outcome_detail = 'its instance is gone'
    WHERE j.finished_at IS NULL AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = j.scheduler_pid);
    DELETE FROM pgtrickle.pgt_scheduler_jobs j
    WHERE j.job_id IN (SELECT o.job_id FROM pgtrickle.pgt_scheduler_jobs o
                       WHERE o.finished_at < clock_timestamp() - keep
                       ORDER BY o.finished_at LIMIT batch_rows FOR UPDATE SKIP LOCKED)
$fn$;
