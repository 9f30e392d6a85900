-- Put a job into a queue that begins `pause` from now. While it has not begun, another call with the same key puts it off
-- by another `pause`, though not beyond `at_most` after the first call, and gives it the new payload. Returns its id.
CREATE FUNCTION pgtrickle.enqueue_debounced(
    name          text,
    key           text,
    pause         interval,
    data          jsonb DEFAULT '{}',
    at_most       interval DEFAULT NULL,
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
#variable_conflict use_column
DECLARE
    made bigint;
BEGIN
    IF key IS NULL OR pause IS NULL OR pause <= '0' THEN
        RAISE EXCEPTION 'invalid argument: a debounced job needs a key, and a pause that is longer than nothing'
            USING ERRCODE = '22023', HINT = 'enqueue_debounced(queue, key, interval ''5 seconds'', …)';
    END IF;
    INSERT INTO pgtrickle.job AS j (name, data, priority, is_ready, created_on, start_after, expire_in, retry_limit, retry_delay,
                                    retry_backoff, ordering_key, dead_letter, keep_for, debounce_key)
    VALUES (name, data, priority, false, clock_timestamp(), clock_timestamp() + least(pause, at_most), expire_in, retry_limit,
            retry_delay, retry_backoff, ordering_key, dead_letter, keep_for, key)
    ON CONFLICT (name, debounce_key) WHERE debounce_key IS NOT NULL AND state = 'created'
    DO UPDATE SET data = excluded.data, priority = excluded.priority, expire_in = excluded.expire_in,
        is_ready = j.is_ready AND coalesce(j.created_on + at_most <= clock_timestamp(), false),
        start_after = greatest(least(clock_timestamp() + pause, j.created_on + at_most), clock_timestamp())
    RETURNING j.id INTO made;
    PERFORM pgtrickle._ring_tenant();
    RETURN made;
END
$fn$;
