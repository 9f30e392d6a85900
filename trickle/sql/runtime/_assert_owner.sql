-- Only who may act as the owner of a stream table may change or drop it.
CREATE FUNCTION pgtrickle._assert_owner(st pgtrickle.pgt_stream_tables) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    owner oid := (SELECT c.relowner FROM pg_class c WHERE c.oid = st.pgt_relid);
BEGIN
    IF owner IS NOT NULL AND NOT pg_has_role(owner, 'USAGE') THEN
        RAISE EXCEPTION 'permission denied: must be owner of stream table %.%', st.pgt_schema, st.pgt_name
            USING ERRCODE = '42501', HINT = format('Its owner is %I.', pg_get_userbyid(owner));
    END IF;
END
$fn$;
