-- Those of these ready jobs, which the caller has locked, that may begin. Ends those that were cancelled or have no attempt
-- left; parks those that others of their ordering key are before. Where somebody else decides about a key just now, its
-- jobs are left as they are.
CREATE FUNCTION pgtrickle._admit_jobs(candidates bigint[]) RETURNS bigint[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $fn$
#variable_conflict use_variable
DECLARE
    over     bigint[];
    refused  bigint[] := '{}';
    one      record;
    key_lock record;
    first    bigint;
    parked   boolean;
BEGIN
    FOR one IN SELECT j.name, j.ordering_key, array_agg(j.id) AS ids FROM pgtrickle.job j
               WHERE j.id = ANY (candidates) AND j.ordering_key IS NOT NULL GROUP BY 1, 2
    LOOP
        key_lock := pgtrickle._job_key_lock(one.name, one.ordering_key);
        IF NOT pg_try_advisory_xact_lock(key_lock.class, key_lock.number) THEN
            refused := refused || one.ids;
            CONTINUE;
        END IF;
        SELECT j.id, j.is_parked INTO first, parked FROM pgtrickle.job j
        WHERE j.name = one.name AND j.ordering_key = one.ordering_key AND j.state IN ('created', 'retry')
        ORDER BY j.id LIMIT 1;
        IF EXISTS (SELECT FROM pgtrickle.job j
                   WHERE j.name = one.name AND j.ordering_key = one.ordering_key AND j.state = 'active') THEN
            first := NULL;
        ELSIF parked THEN
            PERFORM pgtrickle._unpark_job(first);
        END IF;
        refused := refused || array_remove(one.ids, first);
        UPDATE pgtrickle.job j SET is_parked = true, is_ready = false
        WHERE j.id = ANY (one.ids) AND j.id IS DISTINCT FROM first;
    END LOOP;
    over := ARRAY(SELECT j.id FROM pgtrickle.job j
                  WHERE j.id = ANY (candidates) AND j.id <> ALL (refused)
                    AND (EXISTS (SELECT FROM pgtrickle.job_cancel_requests c WHERE c.job_id = j.id)
                         OR (j.started_on IS NOT NULL AND j.retry_count >= j.retry_limit)));
    PERFORM pgtrickle._end_jobs(over, array_fill('{"error": "no attempt was left"}'::jsonb, ARRAY[cardinality(over)]));
    refused := refused || over;
    RETURN ARRAY(SELECT c.id FROM unnest(candidates) WITH ORDINALITY c(id, place) WHERE c.id <> ALL (refused) ORDER BY c.place);
END
$fn$;
