-- All pipelines, as they were declared.
CREATE FUNCTION pgtrickle.list_relay_configs()
RETURNS TABLE (name text, direction text, enabled boolean, config jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT p.pipeline_name, p.direction, p.enabled,
           CASE p.direction
               WHEN 'forward' THEN jsonb_build_object('outbox', p.outbox_name, 'group', p.group_name, 'sink', p.connector)
               ELSE jsonb_build_object('inbox', p.inbox_name, 'source', p.connector) END
           || CASE WHEN p.options = '{}' THEN '{}' ELSE jsonb_build_object('options', p.options) END
    FROM pgtrickle.pgt_relay_pipelines p ORDER BY p.pipeline_name
$fn$;
