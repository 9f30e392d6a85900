CREATE FUNCTION pgtrickle._switch_relay(name text, on_or_off boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    pipeline pgtrickle.pgt_relay_pipelines := pgtrickle._find_pipeline(name);
BEGIN
    IF pipeline.enabled <> on_or_off THEN
        UPDATE pgtrickle.pgt_relay_pipelines p SET enabled = on_or_off, changed_at = clock_timestamp() WHERE p.pipeline_name = name;
        PERFORM pgtrickle._tell_relays(pipeline.direction, CASE WHEN on_or_off THEN 'enabled' ELSE 'disabled' END, name, on_or_off);
    END IF;
END
$fn$;
