-- These attempts have succeeded. Returns those that were still the caller's; another lease, or somebody's decision, has made
-- the others void.
-- The state is compared so that the key alone can answer: the index of active jobs would give those of all workers.
CREATE FUNCTION pgtrickle._complete_jobs(ids bigint[], epochs bigint[], outputs jsonb[]) RETURNS bigint[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $fn$
#variable_conflict use_variable
DECLARE
    keyed boolean;
    ours  bigint[];
BEGIN
    IF cardinality(ids) = 0 THEN
        RETURN ids;
    END IF;
    keyed := EXISTS (SELECT FROM pgtrickle.job j WHERE j.id = ANY (ids) AND j.ordering_key IS NOT NULL)
             AND pgtrickle._lock_job_keys(ids);
    WITH ended AS (
        UPDATE pgtrickle.job j
        SET state = 'completed', completed_on = clock_timestamp(), keep_until = clock_timestamp() + j.keep_for,
            worker_id = NULL, output = d.output
        FROM unnest(ids, epochs, outputs) d(id, epoch, output)
        WHERE j.id = d.id AND j.epoch = d.epoch AND j.state IS NOT DISTINCT FROM 'active'
        RETURNING j.id
    )
    SELECT coalesce(array_agg(e.id), '{}') INTO ours FROM ended e;
    IF keyed THEN
        PERFORM pgtrickle._pass_job_keys(ours);
    END IF;
    RETURN ours;
END
$fn$;
