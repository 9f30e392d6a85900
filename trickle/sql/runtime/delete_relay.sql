-- Forget a pipeline: with its place in its outbox and its dead letters, but not the outbox or inbox.
CREATE FUNCTION pgtrickle.delete_relay(name text) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    pipeline pgtrickle.pgt_relay_pipelines := pgtrickle._find_pipeline(name);
BEGIN
    DELETE FROM pgtrickle.pgt_relay_pipelines p WHERE p.pipeline_name = name;
    DELETE FROM pgtrickle.pgt_relay_dead_letters d WHERE d.pipeline_name = name;
    DELETE FROM pgtrickle.pgt_consumer_groups g WHERE g.group_name = pipeline.group_name;
    PERFORM pgtrickle._tell_relays(pipeline.direction, 'deleted', name, false);
END
$fn$;
