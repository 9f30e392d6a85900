-- Jobs that wait, that run, and that ended within so many seconds, newest first. What an instance left behind that is gone
-- was lost with it.
CREATE FUNCTION pgtrickle.parallel_job_status(max_age_seconds int DEFAULT 300)
RETURNS TABLE (job_id bigint, unit_key text, unit_kind text, status text, member_count int, attempt_no int,
               scheduler_pid int, worker_pid int, enqueued_at timestamptz, started_at timestamptz, finished_at timestamptz,
               duration_ms float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT j.job_id, j.unit_key, j.unit_kind,
           CASE WHEN j.finished_at IS NULL AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = j.scheduler_pid)
                THEN 'RETRYABLE_FAILED' ELSE j.status END,
           cardinality(j.member_pgt_ids), j.attempt_no, j.scheduler_pid, j.worker_pid, j.enqueued_at, j.started_at,
           j.finished_at, extract(epoch FROM j.finished_at - j.started_at)::float8 * 1000
    FROM pgtrickle.pgt_scheduler_jobs j
    WHERE j.finished_at IS NULL OR j.finished_at >= clock_timestamp() - make_interval(secs => greatest(max_age_seconds, 0))
    ORDER BY j.enqueued_at DESC, j.job_id DESC
$fn$;
