-- From which columns of its sources each column of a stream table is computed.
CREATE FUNCTION pgtrickle.stream_table_lineage(name text)
RETURNS TABLE (output_col text, source_table text, source_col text)
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN QUERY SELECT * FROM pgtrickle._lineage(
        pgtrickle._resolve(stream_table_lineage.name, current_schema()::pg_catalog.text));
END
$fn$;
