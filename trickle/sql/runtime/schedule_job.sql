-- Have a job made whenever this cron expression says, by the clock of a time zone: a new schedule, or another one under the
-- name of an old one. Unless jobs `may_overlap`, none is made while the last one has not ended.
CREATE FUNCTION pgtrickle.schedule_job(
    schedule_name text,
    cron          text,
    name          text,
    data          jsonb DEFAULT '{}',
    time_zone     text DEFAULT 'UTC',
    priority      int DEFAULT 0,
    expire_in     interval DEFAULT '15 minutes',
    retry_limit   int DEFAULT 2,
    retry_delay   interval DEFAULT '1 second',
    retry_backoff boolean DEFAULT true,
    ordering_key  text DEFAULT NULL,
    dead_letter   text DEFAULT NULL,
    keep_for      interval DEFAULT '1 day',
    may_overlap   boolean DEFAULT false,
    enabled       boolean DEFAULT true
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
BEGIN
    IF cron IS NULL OR NOT pgtrickle._valid_cron(cron) THEN
        RAISE EXCEPTION 'invalid argument: "%" is not a cron expression', cron
            USING ERRCODE = '22023', HINT = 'Use five fields, or six with leading seconds, or @hourly, @daily, @weekly, @monthly.';
    ELSIF NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = time_zone) THEN
        RAISE EXCEPTION 'invalid argument: there is no time zone "%"', time_zone
            USING ERRCODE = '22023', HINT = 'Use a name of pg_timezone_names, such as Europe/Berlin.';
    END IF;
    INSERT INTO pgtrickle.job_schedules AS s
        (schedule_name, cron, time_zone, name, data, priority, expire_in, retry_limit, retry_delay, retry_backoff, ordering_key,
         dead_letter, keep_for, may_overlap, enabled)
    VALUES (schedule_name, cron, time_zone, name, data, priority, expire_in, retry_limit, retry_delay, retry_backoff, ordering_key,
            dead_letter, keep_for, may_overlap, enabled)
    ON CONFLICT ON CONSTRAINT job_schedules_pkey DO UPDATE SET
        -- What was planned stays planned while it is about the same moments.
        next_on = CASE WHEN (s.cron, s.time_zone, s.enabled) = (excluded.cron, excluded.time_zone, excluded.enabled) THEN s.next_on END,
        cron = excluded.cron, time_zone = excluded.time_zone, name = excluded.name, data = excluded.data,
        priority = excluded.priority, expire_in = excluded.expire_in, retry_limit = excluded.retry_limit,
        retry_delay = excluded.retry_delay, retry_backoff = excluded.retry_backoff, ordering_key = excluded.ordering_key,
        dead_letter = excluded.dead_letter, keep_for = excluded.keep_for, may_overlap = excluded.may_overlap,
        enabled = excluded.enabled, problem = NULL;
    PERFORM pgtrickle._ring_tenant();
END
$fn$;
