-- Have all dead letters of a pipeline tried again, in the order in which they came; returns how many there are.
CREATE FUNCTION pgtrickle.relay_dlq_retry_all(name text) RETURNS bigint
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    asked bigint;
BEGIN
    PERFORM pgtrickle._find_pipeline(name);
    UPDATE pgtrickle.pgt_relay_dead_letters d SET retry_at = clock_timestamp() WHERE d.pipeline_name = name;
    GET DIAGNOSTICS asked = ROW_COUNT;
    PERFORM pg_notify('pgtrickle_outbox', '! ' || name);
    RETURN asked;
END
$fn$;
