-- Has a stream table been altered, or compiled, or dropped, since this row of it was read?
CREATE FUNCTION pgtrickle._is_altered(st pgtrickle.pgt_stream_tables) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    RETURN NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s
                       WHERE s.pgt_id = st.pgt_id AND s.updated_at = st.updated_at);
END
$fn$;
