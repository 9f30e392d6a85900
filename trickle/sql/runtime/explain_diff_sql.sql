-- The SQL of a differential refresh: the body of the program. NULL where the stream table has none; the reason is in
-- pgtrickle.explain_refresh_mode.
CREATE FUNCTION pgtrickle.explain_diff_sql(name text) RETURNS text
LANGUAGE plpgsql STABLE STRICT AS $fn$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._resolve(explain_diff_sql.name, current_schema()::pg_catalog.text);
BEGIN
    RETURN (
        SELECT p.prosrc FROM pg_catalog.pg_proc p
        WHERE p.oid OPERATOR(pg_catalog.=) pg_catalog.to_regprocedure(
            pg_catalog.format('pgtrickle_programs.refresh_%s()', st.pgt_id)));
END
$fn$;
