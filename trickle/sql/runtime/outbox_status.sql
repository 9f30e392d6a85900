-- What an outbox holds and who reads it, as a JSON object.
CREATE FUNCTION pgtrickle.outbox_status(name text) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN pgtrickle._outbox_status(name, pgtrickle._find_outbox(name, current_schema()::pg_catalog.text, true));
END
$fn$;
