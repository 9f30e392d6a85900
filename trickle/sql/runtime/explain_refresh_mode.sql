-- How a stream table was asked to be refreshed, how it last was, and why the two differ where they do.
CREATE FUNCTION pgtrickle.explain_refresh_mode(name text)
RETURNS TABLE (configured_mode text, effective_mode text, downgrade_reason text)
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN QUERY SELECT * FROM pgtrickle._explain_refresh_mode(
        pgtrickle._resolve(explain_refresh_mode.name, current_schema()::pg_catalog.text));
END
$fn$;
