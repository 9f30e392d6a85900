-- Give a runner up to `most` jobs of these queues: by priority, then by id, the queues in the order given. Costs what it gives,
-- however many wait. The settings make the plan: a generic one, which takes the order of the index whatever it believes of
-- the size of the table, and is not made anew for each call.
CREATE FUNCTION pgtrickle._lease_jobs(queues text[], worker int, most int)
RETURNS TABLE (id bigint, name text, data jsonb, epoch bigint, priority int, attempt int, attempts int, expire_seconds float8)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $fn$
#variable_conflict use_column
DECLARE
    queue    text;
    ids      bigint[] := '{}';
    found    bigint[];
    special  boolean;
    in_round int;
BEGIN
    IF most <= 0 THEN
        RETURN;
    END IF;
    FOREACH queue IN ARRAY queues LOOP
        -- One round is enough but for a queue that begins with jobs that must wait for others of their key.
        FOR in_round IN 1..20 LOOP
            SELECT coalesce(array_agg(c.id), '{}'), coalesce(bool_or(c.special), false) INTO found, special
            FROM (SELECT j.id, j.ordering_key IS NOT NULL
                               OR (j.started_on IS NOT NULL AND j.retry_count >= j.retry_limit) AS special
                  FROM pgtrickle.job j
                  WHERE j.name = queue AND j.state IN ('created', 'retry') AND j.is_ready
                  ORDER BY j.priority DESC, j.id
                  LIMIT CASE in_round WHEN 1 THEN most - cardinality(ids) ELSE 500 END
                  FOR UPDATE SKIP LOCKED) c;
            EXIT WHEN NOT special;
            found := pgtrickle._admit_jobs(found);
            EXIT WHEN cardinality(found) > 0;
        END LOOP;
        ids := ids || found[1:most - cardinality(ids)];
        EXIT WHEN cardinality(ids) >= most;
    END LOOP;
    IF cardinality(ids) = 0 THEN
        RETURN;
    END IF;
    RETURN QUERY
        UPDATE pgtrickle.job j
        SET state = 'active', epoch = j.epoch + 1, worker_id = worker, started_on = clock_timestamp(), completed_on = NULL,
            retry_count = j.retry_count + (j.started_on IS NOT NULL)::int
        WHERE j.id = ANY (ids)
        RETURNING j.id, j.name, j.data, j.epoch, j.priority, j.retry_count + 1, j.retry_limit + 1,
                  extract(epoch FROM j.expire_in)::float8;
END
$fn$;
