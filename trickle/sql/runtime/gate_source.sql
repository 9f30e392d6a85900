-- Hold back the scheduled refreshes of the stream tables that read this source directly, while it is being loaded.
-- Refreshes by hand are not held back. Gating what is gated changes nothing but the time.
CREATE FUNCTION pgtrickle.gate_source(source text) RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
DECLARE
    relid pg_catalog.oid := pgtrickle._source(source, current_schema()::pg_catalog.text);
BEGIN
    PERFORM pgtrickle._gate(relid, true);
END
$fn$;
