-- Which of these attempts are still the caller's, and whether somebody wants them to stop.
-- The state is compared so that the key alone can answer: the index of active jobs would give those of all workers.
CREATE FUNCTION pgtrickle._held_jobs(ids bigint[], epochs bigint[]) RETURNS TABLE (id bigint, cancel_requested boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $fn$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT j.id, EXISTS (SELECT FROM pgtrickle.job_cancel_requests c WHERE c.job_id = j.id)
        FROM unnest(ids, epochs) d(id, epoch)
        JOIN pgtrickle.job j ON j.id = d.id AND j.epoch = d.epoch AND j.state IS NOT DISTINCT FROM 'active';
END
$fn$;
