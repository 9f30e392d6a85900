-- For how many seconds the stream table may have lagged behind its sources; NULL when it was never filled.
CREATE FUNCTION pgtrickle.get_staleness(name text) RETURNS float8
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN extract(epoch FROM pgtrickle._staleness(
        pgtrickle._resolve(get_staleness.name, current_schema()::pg_catalog.text)))::pg_catalog.float8;
END
$fn$;
