-- Replace a stream table's storage by an empty one with the columns of its query view. Grants are kept, indexes not.
CREATE FUNCTION pgtrickle._rebuild_storage(st pgtrickle.pgt_stream_tables) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    readers text;
    grants  aclitem[] := (SELECT c.relacl FROM pg_class c WHERE c.oid = st.pgt_relid);
    granted record;
    relid   oid;
BEGIN
    SELECT string_agg(s.pgt_schema || '.' || s.pgt_name, ', ' ORDER BY s.pgt_schema, s.pgt_name) INTO readers
    FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
    WHERE d.source_relid = st.pgt_relid;
    IF readers IS NOT NULL THEN
        RAISE EXCEPTION 'cannot change the columns of stream table %.%: % read it', st.pgt_schema, st.pgt_name, readers
            USING ERRCODE = '2BP01', HINT = 'Drop them first, or keep the names, types and order of the columns.';
    END IF;
    EXECUTE format('DROP TABLE %s', st.pgt_relid::regclass);
    relid := pgtrickle._create_storage(st.pgt_id, st.pgt_schema, st.pgt_name);
    FOR granted IN SELECT a.* FROM aclexplode(grants) a JOIN pg_class c ON c.oid = relid WHERE a.grantee <> c.relowner LOOP
        EXECUTE format('GRANT %s ON %s TO %s%s', granted.privilege_type, relid::regclass,
                       CASE WHEN granted.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(granted.grantee)) END,
                       CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    UPDATE pgtrickle.pgt_stream_tables s SET pgt_relid = relid WHERE s.pgt_id = st.pgt_id;
    RAISE WARNING 'stream table %.% was rebuilt with other columns', st.pgt_schema, st.pgt_name
        USING HINT = 'Indexes that were made on it must be made again.';
END
$fn$;
