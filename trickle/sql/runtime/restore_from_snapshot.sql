-- Put a snapshot back. Where its frontier can be trusted the next refresh takes what has changed since it was taken;
-- elsewhere (another database, another timeline) the rows are put back and the next refresh compares them with the query.
CREATE FUNCTION pgtrickle.restore_from_snapshot(p_name text, p_source text) RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
BEGIN
    PERFORM pgtrickle._restore_snapshot(pgtrickle._resolve(p_name, current_schema()::pg_catalog.text), p_source);
END
$fn$;
