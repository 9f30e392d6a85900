-- Remove jobs that ended long ago, a batch at most. Returns how many.
CREATE FUNCTION pgtrickle._prune_jobs(most int) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $fn$
#variable_conflict use_variable
DECLARE
    removed bigint;
BEGIN
    DELETE FROM pgtrickle.job j
    WHERE j.id IN (SELECT o.id FROM pgtrickle.job o WHERE o.keep_until < clock_timestamp()
                   ORDER BY o.keep_until LIMIT most FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM pgtrickle.job_cancel_requests c
    WHERE NOT EXISTS (SELECT FROM pgtrickle.job j WHERE j.id = c.job_id AND j.state IN ('created', 'retry', 'active'));
    DELETE FROM pgtrickle.job_throttles t
    WHERE (t.name, t.key) IN (SELECT o.name, o.key FROM pgtrickle.job_throttles o WHERE o.open_again < clock_timestamp()
                              ORDER BY o.open_again LIMIT most FOR UPDATE SKIP LOCKED);
    RETURN removed;
END
$fn$;
