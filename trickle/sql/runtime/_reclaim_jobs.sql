-- End the attempts of runners that are gone, which is known by the lock that they held, and those whose time is over, a
-- while after which their own runner would have ended them: a batch at most. `me`: the runner that asks, 0 for none.
-- Returns how many.
CREATE FUNCTION pgtrickle._reclaim_jobs(me int, most int) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $fn$
#variable_conflict use_variable
DECLARE
    gone    int[];
    ids     bigint[];
    epochs  bigint[];
    outputs jsonb[];
BEGIN
    gone := ARRAY(SELECT w.worker_id
                  FROM (SELECT DISTINCT j.worker_id FROM pgtrickle.job j WHERE j.state = 'active' AND j.worker_id <> me) w
                  WHERE pg_try_advisory_xact_lock(pgtrickle._job_worker_class(), w.worker_id));
    SELECT array_agg(l.id), array_agg(l.epoch),
           array_agg(jsonb_build_object('error', CASE WHEN l.worker_id = ANY (gone) THEN 'its worker ended' ELSE 'it took too long' END))
    INTO ids, epochs, outputs
    FROM (SELECT j.id, j.epoch, j.worker_id FROM pgtrickle.job j
          WHERE j.state = 'active' AND (j.worker_id = ANY (gone) OR j.started_on + j.expire_in + interval '5 seconds' < clock_timestamp())
          ORDER BY j.id LIMIT most) l;
    IF ids IS NULL THEN
        RETURN 0;
    END IF;
    RETURN cardinality(pgtrickle._fail_jobs(ids, epochs, outputs, array_fill(false, ARRAY[cardinality(ids)]), true));
END
$fn$;
