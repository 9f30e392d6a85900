-- What is known of a stream table: definition, state, why it is refreshed as it is, its sources and its program.
CREATE FUNCTION pgtrickle.explain_st(name text, with_analyze boolean DEFAULT false)
RETURNS TABLE (property text, value text)
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN QUERY SELECT * FROM pgtrickle._explain(
        pgtrickle._resolve(explain_st.name, current_schema()::pg_catalog.text), with_analyze);
END
$fn$;
