-- Let stream tables that were paused be refreshed again; the others stay as they are.
CREATE FUNCTION pgtrickle.resume_scheduler(nodes text[]) RETURNS text
LANGUAGE plpgsql STRICT AS $fn$
BEGIN
    PERFORM pgtrickle._unpause(pgtrickle._named_tables(nodes, current_schema()::pg_catalog.text));
    RETURN 'OK';
END
$fn$;
