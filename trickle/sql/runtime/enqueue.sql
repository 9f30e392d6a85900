-- Put a job into a queue; it can run once the caller's transaction is committed. Returns its id, or NULL where one with the
-- same singleton key has not ended yet. Of the same ordering key one job runs at a time, in the order of ids; one that is
-- to be tried again holds up those after it.
CREATE FUNCTION pgtrickle.enqueue(
    name          text,
    data          jsonb DEFAULT '{}',
    priority      int DEFAULT 0,
    start_after   timestamptz DEFAULT NULL,
    expire_in     interval DEFAULT '15 minutes',
    retry_limit   int DEFAULT 2,
    retry_delay   interval DEFAULT '1 second',
    retry_backoff boolean DEFAULT true,
    singleton_key text DEFAULT NULL,
    ordering_key  text DEFAULT NULL,
    dead_letter   text DEFAULT NULL,
    keep_for      interval DEFAULT '1 day'
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    made bigint;
BEGIN
    INSERT INTO pgtrickle.job AS j (name, data, priority, is_ready, start_after, expire_in, retry_limit, retry_delay,
                                    retry_backoff, singleton_key, ordering_key, dead_letter, keep_for)
    VALUES (name, data, priority, start_after IS NULL OR start_after <= clock_timestamp(), coalesce(start_after, now()),
            expire_in, retry_limit, retry_delay, retry_backoff, singleton_key, ordering_key, dead_letter, keep_for)
    ON CONFLICT DO NOTHING
    RETURNING j.id INTO made;
    -- As pgtrickle._ring_jobs does it, for which a call of its own would take longer than what it does.
    IF made IS NULL THEN
        RETURN NULL;
    ELSIF NOT pg_try_advisory_xact_lock_shared(1885828973, hashtext(name) & 127) THEN
        PERFORM pg_notify('pgtrickle_job', (hashtext(name) & 127)::text);
    ELSIF NOT pg_try_advisory_xact_lock_shared(1885828973, 128) THEN
        PERFORM pg_notify('pgtrickle_tenant', 'pgtrickle');
    ELSE
        PERFORM pg_stat_force_next_flush();
    END IF;
    RETURN made;
END
$fn$;
