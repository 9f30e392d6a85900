-- What can be said about a pipeline's configuration without knowing its connector: the rest is the relay's to check.
CREATE FUNCTION pgtrickle._check_pipeline(name text, role text, connector jsonb, options jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF name IS NULL OR name !~ '^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$' THEN
        RAISE EXCEPTION 'relay.invalid_config: % is no name for a pipeline', coalesce(quote_literal(name), 'NULL')
            USING ERRCODE = '22023', HINT = 'Use up to 63 letters, digits, hyphens and underscores, a hyphen not first.';
    ELSIF connector IS NULL OR jsonb_typeof(connector) <> 'object' OR jsonb_typeof(connector -> 'type') IS DISTINCT FROM 'string' THEN
        RAISE EXCEPTION 'relay.invalid_config: the % of pipeline % must be an object with a "type"', role, name
            USING ERRCODE = '22023', HINT = format('For example %s => ''{"type": "nats", "url": "nats://localhost:4222"}''.', role);
    ELSIF options IS NULL OR jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION 'relay.invalid_config: the options of pipeline % must be an object', name USING ERRCODE = '22023';
    END IF;
END
$fn$;
