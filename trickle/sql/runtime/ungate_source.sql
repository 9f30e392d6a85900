-- Let the stream tables that read this source be refreshed again, at once.
CREATE FUNCTION pgtrickle.ungate_source(source text) RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
DECLARE
    relid pg_catalog.oid := pgtrickle._source(source, current_schema()::pg_catalog.text);
BEGIN
    PERFORM pgtrickle._gate(relid, false);
END
$fn$;
