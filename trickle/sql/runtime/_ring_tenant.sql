-- There is something to do, or to plan, of which no runner has to be told. Where a supervisor looks after this schema while
-- nobody runs its jobs, it holds the bell of the whole schema, and is told at commit; one of another database reads the
-- statistics, which would otherwise be up to ten seconds late.
CREATE FUNCTION pgtrickle._ring_tenant() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(1885828973, 128) THEN
        PERFORM pg_notify('pgtrickle_tenant', 'pgtrickle');
    END IF;
    PERFORM pg_stat_force_next_flush();
END
$fn$;
