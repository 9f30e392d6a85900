-- A snapshot holds every column of the query, in the same type, and every hidden one that cannot be left out.
CREATE FUNCTION pgtrickle._assert_fits(st pgtrickle.pgt_stream_tables, snapshot_relid oid, source text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    odd text;
BEGIN
    SELECT string_agg(coalesce(c.name || ' ' || c.type, s.name || ' (not in the stream table)'), ', ' ORDER BY c.place)
    INTO odd
    FROM pgtrickle._stored_columns(st.pgt_relid) c
    FULL JOIN pgtrickle._stored_columns(snapshot_relid) s ON s.name = c.name AND s.type = c.type
    WHERE c.name IS NULL AND NOT s.is_hidden OR s.name IS NULL AND (NOT c.is_hidden OR c.is_needed);
    IF odd IS NOT NULL THEN
        RAISE EXCEPTION 'snapshot % does not fit stream table %.%: %', source, st.pgt_schema, st.pgt_name, odd
            USING ERRCODE = '42P17', HINT = 'The query has changed since it was taken: refresh in full instead.';
    END IF;
END
$fn$;
