-- Whether a runner would find something to do here: jobs that are ready, schedules that nobody has planned, attempts of
-- runners that are gone. Else in how many seconds there will be something, as far as one can tell.
CREATE FUNCTION pgtrickle._probe_jobs(OUT has_work boolean, OUT next_seconds float8)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_bitmapscan = off SET jit = off AS $fn$
DECLARE
    is_run boolean;
BEGIN
    SELECT extract(epoch FROM min(m.moment) - clock_timestamp()) INTO next_seconds
    FROM (SELECT min(j.start_after) FROM pgtrickle.job j
          WHERE j.state IN ('created', 'retry') AND NOT j.is_ready AND NOT j.is_parked
          UNION ALL
          SELECT min(coalesce(s.next_on, 'epoch')) FROM pgtrickle.job_schedules s WHERE s.enabled) m(moment);
    SELECT bool_or(pg_try_advisory_xact_lock_shared(pgtrickle._job_worker_class(), w.worker_id)), count(*) > 0
    INTO has_work, is_run
    FROM (SELECT DISTINCT j.worker_id FROM pgtrickle.job j WHERE j.state = 'active' AND j.worker_id IS NOT NULL) w;
    has_work := coalesce(has_work, false) OR coalesce(next_seconds <= 0, false)
                OR EXISTS (SELECT FROM pgtrickle.job j WHERE j.state IN ('created', 'retry') AND j.is_ready);
    -- Somebody else runs jobs here, and may end without them.
    IF is_run THEN
        next_seconds := least(next_seconds, 5);
    END IF;
END
$fn$;
