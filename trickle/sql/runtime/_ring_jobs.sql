-- A runner that has nothing to do holds the bell of its queue, and is told at commit; else nobody needs to be, but for a
-- supervisor that waits to have the schema run, or reads the statistics.
CREATE FUNCTION pgtrickle._ring_jobs(queue text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(1885828973, hashtext(queue) & 127) THEN
        PERFORM pg_notify('pgtrickle_job', (hashtext(queue) & 127)::text);
    ELSIF NOT pg_try_advisory_xact_lock_shared(1885828973, 128) THEN
        PERFORM pg_notify('pgtrickle_tenant', 'pgtrickle');
    ELSE
        PERFORM pg_stat_force_next_flush();
    END IF;
END
$fn$;
