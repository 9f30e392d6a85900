-- How often a stream table might be refreshed, judged by what its refreshes take.
CREATE FUNCTION pgtrickle.recommend_schedule(p_name text) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT AS $fn$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._resolve(p_name, current_schema()::pg_catalog.text);
BEGIN
    RETURN pgtrickle._recommend_schedule(st);
END
$fn$;
