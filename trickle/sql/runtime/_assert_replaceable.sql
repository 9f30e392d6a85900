-- A stream table's columns are to change, so other storage will take its place. Refuse, before any work is done, what
-- cannot follow it there.
CREATE FUNCTION pgtrickle._assert_replaceable(st pgtrickle.pgt_stream_tables) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    label text := st.pgt_schema || '.' || st.pgt_name;
    found text;
BEGIN
    SELECT string_agg(s.pgt_schema || '.' || s.pgt_name, ', ' ORDER BY s.pgt_schema, s.pgt_name) INTO found
    FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
    WHERE d.source_relid = st.pgt_relid;
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'cannot change the columns of stream table %: % read it', label, found
            USING ERRCODE = '2BP01', HINT = 'Drop them first, or keep the names, types and order of the columns.';
    END IF;
    SELECT string_agg(DISTINCT r.ev_class::regclass::text, ', ') INTO found
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class AND c.relkind <> 'v'
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = st.pgt_relid;
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'cannot change the columns of stream table %: % are made from it', label, found
            USING ERRCODE = '2BP01', HINT = 'Drop them first: of what reads a stream table only ordinary views can follow it.';
    END IF;
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = st.pgt_relid AND c.relrowsecurity)
       OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = st.pgt_relid) THEN
        RAISE EXCEPTION 'cannot change the columns of stream table %: it has row security', label
            USING ERRCODE = '2BP01', HINT = 'Take its policies away first and make them again afterwards.';
    ELSIF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = st.pgt_relid
                  WHERE i.inhrelid = c.oid OR i.inhparent = c.oid AND c.relkind <> 'p') THEN
        RAISE EXCEPTION 'cannot change the columns of stream table %: it has, or is, an inheritance child', label
            USING ERRCODE = '2BP01', HINT = 'Detach it first.';
    END IF;
END
$fn$;
