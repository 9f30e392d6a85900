-- These attempts have failed. What has attempts left is tried again: after its delay, or at once where its worker is to
-- blame. `finals`: no further attempt would help. Returns those that were still the caller's.
-- The state is compared so that the key alone can answer: the index of active jobs would give those of all workers.
CREATE FUNCTION pgtrickle._fail_jobs(ids bigint[], epochs bigint[], outputs jsonb[], finals boolean[], at_once boolean DEFAULT false)
RETURNS bigint[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $fn$
#variable_conflict use_variable
DECLARE
    ours   bigint[];
    over   bigint[];
    said   jsonb[];
    queue  text;
BEGIN
    PERFORM pgtrickle._lock_job_keys(ids);
    SELECT coalesce(array_agg(f.id), '{}'), coalesce(array_agg(f.id) FILTER (WHERE f.is_over), '{}'),
           coalesce(array_agg(f.output) FILTER (WHERE f.is_over), '{}')
    INTO ours, over, said
    FROM (SELECT j.id, d.output, d.is_final OR j.retry_count >= j.retry_limit
                 OR EXISTS (SELECT FROM pgtrickle.job_cancel_requests c WHERE c.job_id = j.id) AS is_over
          FROM unnest(ids, epochs, outputs, finals) d(id, epoch, output, is_final)
          JOIN pgtrickle.job j ON j.id = d.id AND j.epoch = d.epoch AND j.state IS NOT DISTINCT FROM 'active'
          ORDER BY j.id FOR UPDATE OF j) f;
    FOR queue IN
        WITH again AS (
            UPDATE pgtrickle.job j
            SET state = 'retry', worker_id = NULL, output = d.output, is_ready = n.seconds <= 0,
                start_after = clock_timestamp() + make_interval(secs => n.seconds)
            FROM unnest(ids, outputs) d(id, output), LATERAL (
                SELECT CASE WHEN at_once THEN 0
                            WHEN k.retry_backoff THEN least(extract(epoch FROM k.retry_delay)::float8 * 2.0 ^ least(k.retry_count, 30), 3600)
                                                      * (0.5 + random() / 2)
                            ELSE extract(epoch FROM k.retry_delay)::float8 END AS seconds
                FROM pgtrickle.job k WHERE k.id = d.id) n
            WHERE j.id = d.id AND j.id = ANY (ours) AND j.id <> ALL (over)
            RETURNING j.name, j.is_ready
        )
        SELECT DISTINCT a.name FROM again a WHERE a.is_ready
    LOOP
        PERFORM pgtrickle._ring_jobs(queue);
    END LOOP;
    PERFORM pgtrickle._end_jobs(over, said);
    PERFORM pgtrickle._pass_job_keys(ours);
    RETURN ours;
END
$fn$;
