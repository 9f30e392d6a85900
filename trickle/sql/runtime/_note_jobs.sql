-- Write down what has become of many jobs in one statement; the numbers of the jobs, in the order given. A job that was
-- written before comes with its number.
CREATE FUNCTION pgtrickle._note_jobs(jobs jsonb) RETURNS bigint[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    ids bigint[];
BEGIN
    WITH job AS MATERIALIZED (
        SELECT coalesce(j.job_id, nextval('pgtrickle.pgt_scheduler_jobs_job_id_seq')) AS id, j.*
        FROM ROWS FROM (jsonb_to_recordset(jobs) AS (
            job_id bigint, unit_key text, unit_kind text, members bigint[], root bigint, status text, scheduler_pid int,
            worker_pid int, attempt_no int, enqueued_at timestamptz, started_at timestamptz, finished_at timestamptz,
            detail text, retryable boolean)) WITH ORDINALITY AS j(
            job_id, unit_key, unit_kind, members, root, status, scheduler_pid, worker_pid, attempt_no, enqueued_at,
            started_at, finished_at, detail, retryable, place)
    ), changed AS (
        UPDATE pgtrickle.pgt_scheduler_jobs s
        SET status = job.status, worker_pid = job.worker_pid, started_at = job.started_at, finished_at = job.finished_at,
            outcome_detail = job.detail, retryable = job.retryable
        FROM job WHERE s.job_id = job.job_id
    ), added AS (
        INSERT INTO pgtrickle.pgt_scheduler_jobs
            (job_id, unit_key, unit_kind, member_pgt_ids, root_pgt_id, status, scheduler_pid, worker_pid, attempt_no,
             enqueued_at, started_at, finished_at, outcome_detail, retryable)
        SELECT job.id, job.unit_key, job.unit_kind, job.members, job.root, job.status, job.scheduler_pid, job.worker_pid,
               job.attempt_no, job.enqueued_at, job.started_at, job.finished_at, job.detail, job.retryable
        FROM job WHERE job.job_id IS NULL
    )
    SELECT array_agg(job.id ORDER BY job.place) INTO ids FROM job;
    RETURN ids;
END
$fn$;
