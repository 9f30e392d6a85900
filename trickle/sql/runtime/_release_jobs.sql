-- Hand these attempts back as if they had not begun; one that somebody wants to stop ends. Returns those that were still the caller's.
-- The state is compared so that the key alone can answer: the index of active jobs would give those of all workers.
CREATE FUNCTION pgtrickle._release_jobs(ids bigint[], epochs bigint[]) RETURNS bigint[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $fn$
#variable_conflict use_variable
DECLARE
    ours  bigint[];
    over  bigint[];
    queue text;
BEGIN
    PERFORM pgtrickle._lock_job_keys(ids);
    over := ARRAY(SELECT j.id FROM unnest(ids, epochs) d(id, epoch)
                  JOIN pgtrickle.job j ON j.id = d.id AND j.epoch = d.epoch AND j.state IS NOT DISTINCT FROM 'active'
                  JOIN pgtrickle.job_cancel_requests c ON c.job_id = j.id
                  ORDER BY j.id FOR UPDATE OF j);
    PERFORM pgtrickle._end_jobs(over, array_fill('{"error": "cancelled"}'::jsonb, ARRAY[cardinality(over)]));
    WITH back AS (
        UPDATE pgtrickle.job j
        SET state = CASE j.retry_count WHEN 0 THEN 'created' ELSE 'retry' END, worker_id = NULL, started_on = NULL
        FROM unnest(ids, epochs) d(id, epoch)
        WHERE j.id = d.id AND j.epoch = d.epoch AND j.state IS NOT DISTINCT FROM 'active'
        RETURNING j.id
    )
    SELECT coalesce(array_agg(b.id), '{}') INTO ours FROM back b;
    FOR queue IN SELECT DISTINCT j.name FROM pgtrickle.job j WHERE j.id = ANY (ours) LOOP
        PERFORM pgtrickle._ring_jobs(queue);
    END LOOP;
    PERFORM pgtrickle._pass_job_keys(ours);
    RETURN over || ours;
END
$fn$;
