-- Put a job for each of these payloads into a queue, in their order and in one statement. Returns how many they are.
CREATE FUNCTION pgtrickle.enqueue_many(
    name          text,
    data          jsonb[],
    priority      int DEFAULT 0,
    start_after   timestamptz DEFAULT NULL,
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
    INSERT INTO pgtrickle.job (name, data, priority, is_ready, start_after, expire_in, retry_limit, retry_delay,
                               retry_backoff, ordering_key, dead_letter, keep_for)
    SELECT name, d.data, priority, start_after IS NULL OR start_after <= clock_timestamp(), coalesce(start_after, now()),
           expire_in, retry_limit, retry_delay, retry_backoff, ordering_key, dead_letter, keep_for
      FROM unnest(data) WITH ORDINALITY d(data, place) ORDER BY d.place;
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made > 0 THEN
        PERFORM pgtrickle._ring_jobs(name);
    END IF;
    RETURN made;
END
$fn$;
