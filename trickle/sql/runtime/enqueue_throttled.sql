-- Put a job into a queue, unless one was made with this function for the same key less than `every` ago: then NULL. Whoever
-- asks for the same key meanwhile waits for the end of the caller's transaction.
CREATE FUNCTION pgtrickle.enqueue_throttled(
    name          text,
    key           text,
    every         interval,
    data          jsonb DEFAULT '{}',
    priority      int DEFAULT 0,
    expire_in     interval DEFAULT '15 minutes',
    retry_limit   int DEFAULT 2,
    retry_delay   interval DEFAULT '1 second',
    retry_backoff boolean DEFAULT true,
    ordering_key  text DEFAULT NULL,
    dead_letter   text DEFAULT NULL,
    keep_for      interval DEFAULT '1 day'
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    made bigint;
BEGIN
    IF key IS NULL OR every IS NULL OR every <= '0' THEN
        RAISE EXCEPTION 'invalid argument: a throttled job needs a key, and an interval that is longer than nothing'
            USING ERRCODE = '22023', HINT = 'enqueue_throttled(queue, key, interval ''1 minute'', …)';
    END IF;
    INSERT INTO pgtrickle.job_throttles AS t (name, key, job_id, open_again)
    VALUES (name, key, 0, clock_timestamp() + every)
    ON CONFLICT ON CONSTRAINT job_throttles_pkey DO UPDATE SET open_again = clock_timestamp() + every
    WHERE t.open_again <= clock_timestamp();
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    made := pgtrickle.enqueue(
        name, data, priority, NULL, expire_in, retry_limit, retry_delay, retry_backoff, NULL, ordering_key, dead_letter, keep_for);
    UPDATE pgtrickle.job_throttles t SET job_id = made WHERE t.name = enqueue_throttled.name AND t.key = enqueue_throttled.key;
    RETURN made;
END
$fn$;
