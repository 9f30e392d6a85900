-- How far these attempts are, as far as they are still the caller's.
-- The state is compared so that the key alone can answer: the index of active jobs would give those of all workers.
CREATE FUNCTION pgtrickle._progress_jobs(ids bigint[], epochs bigint[], progresses jsonb[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $fn$
#variable_conflict use_variable
BEGIN
    UPDATE pgtrickle.job j SET progress = d.progress
    FROM unnest(ids, epochs, progresses) d(id, epoch, progress)
    WHERE j.id = d.id AND j.epoch = d.epoch AND j.state IS NOT DISTINCT FROM 'active';
END
$fn$;
