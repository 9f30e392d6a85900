-- One pipeline, as it was declared.
CREATE FUNCTION pgtrickle.get_relay_config(name text) RETURNS jsonb
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    wanted text := name;
BEGIN
    PERFORM pgtrickle._find_pipeline(wanted);
    RETURN (SELECT jsonb_build_object('name', l.name, 'direction', l.direction, 'enabled', l.enabled) || l.config
            FROM pgtrickle.list_relay_configs() l WHERE l.name = wanted);
END
$fn$;
