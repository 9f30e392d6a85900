-- Go on carrying a pipeline, from where it stopped.
CREATE FUNCTION pgtrickle.enable_relay(name text) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    PERFORM pgtrickle._switch_relay(name, true);
END
$fn$;
