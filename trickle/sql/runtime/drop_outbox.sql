-- Drop an outbox with all its messages and consumer groups.
CREATE FUNCTION pgtrickle.drop_outbox(name text, if_exists boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
BEGIN
    PERFORM pgtrickle._disable_outbox(pgtrickle._find_outbox(name, current_schema()::pg_catalog.text, if_exists));
END
$fn$;
