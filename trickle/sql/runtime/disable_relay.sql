-- Stop carrying a pipeline. Its place is kept, and what comes meanwhile waits as long as its outbox keeps it.
CREATE FUNCTION pgtrickle.disable_relay(name text) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    PERFORM pgtrickle._switch_relay(name, false);
END
$fn$;
