-- The hidden columns of a stream table, which its program needs and its query does not show, and what each is for.
CREATE FUNCTION pgtrickle.list_auxiliary_columns(name text)
RETURNS TABLE (column_name text, data_type text, purpose text)
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN QUERY SELECT * FROM pgtrickle._auxiliary_columns(
        (pgtrickle._resolve(list_auxiliary_columns.name, current_schema()::pg_catalog.text)).pgt_relid);
END
$fn$;
