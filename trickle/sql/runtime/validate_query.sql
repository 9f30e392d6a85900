-- What the server can say of a query before it becomes a stream table. Whether each clause has a delta rule is known to
-- the compiler: `trickle explain FILE`. No search_path of its own: the query means what it means to the caller.
CREATE FUNCTION pgtrickle.validate_query(query text)
RETURNS TABLE (check_name text, result text, severity text)
LANGUAGE plpgsql STRICT AS $fn$
BEGIN
    RETURN QUERY SELECT * FROM pgtrickle._validate_query(query, pg_catalog.current_setting('search_path'));
END
$fn$;
