-- A report on a stream table for people: how it is refreshed and why, what that costs, what would help.
CREATE FUNCTION pgtrickle.explain_stream_table(name text) RETURNS text
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN pgtrickle._report(pgtrickle._resolve(explain_stream_table.name, current_schema()::pg_catalog.text));
END
$fn$;
