-- End these jobs for good: cancelled where that was asked for, else failed, with a dead letter where they name a queue for it.
-- The caller has locked them, and holds their ordering keys.
CREATE FUNCTION pgtrickle._end_jobs(ids bigint[], outputs jsonb[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $fn$
#variable_conflict use_variable
DECLARE
    queue text;
BEGIN
    IF cardinality(ids) = 0 THEN
        RETURN;
    END IF;
    FOR queue IN
        WITH ended AS (
            UPDATE pgtrickle.job j
            SET state = CASE WHEN EXISTS (SELECT FROM pgtrickle.job_cancel_requests c WHERE c.job_id = j.id)
                             THEN 'cancelled' ELSE 'failed' END,
                completed_on = clock_timestamp(), keep_until = clock_timestamp() + j.keep_for, worker_id = NULL,
                output = coalesce(d.output, j.output)
            FROM unnest(ids, outputs) d(id, output) WHERE j.id = d.id
            RETURNING j.*
        ), letters AS (
            INSERT INTO pgtrickle.job (name, data, priority, expire_in, retry_limit, retry_delay, retry_backoff, ordering_key,
                                       output, keep_for, source_name, source_id)
            SELECT e.dead_letter, e.data, e.priority, e.expire_in, e.retry_limit, e.retry_delay, e.retry_backoff, e.ordering_key,
                   e.output, e.keep_for, e.name, e.id
            FROM ended e WHERE e.state = 'failed' AND e.dead_letter IS NOT NULL
            RETURNING name
        )
        SELECT DISTINCT l.name FROM letters l
    LOOP
        PERFORM pgtrickle._ring_jobs(queue);
    END LOOP;
    DELETE FROM pgtrickle.job_cancel_requests c WHERE c.job_id = ANY (ids);
    PERFORM pgtrickle._pass_job_keys(ids);
END
$fn$;
