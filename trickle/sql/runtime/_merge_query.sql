-- Make a stream table hold what its new query says, which has the same columns: the difference is written in place, so
-- readers see the old rows until this transaction commits and then the new ones, whatever their snapshot. Only then the
-- shape that the old program gave to the storage goes. Where its index or NOT NULL refuses a row of the new query, it has
-- to go before the difference is written, which has been computed aside by then.
CREATE FUNCTION pgtrickle._merge_query(pgt_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st pgtrickle.pgt_stream_tables;
    f  pgtrickle.pgt_frontiers;
BEGIN
    SELECT s.* INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _merge_query.pgt_id;
    PERFORM pgtrickle._install_full(st.pgt_id);
    IF NOT st.is_populated THEN
        PERFORM pgtrickle._lock_storage(st.pgt_relid);
        PERFORM pgtrickle._strip_storage(st.pgt_relid);
        RETURN;
    END IF;
    BEGIN
        PERFORM pgtrickle._refresh(st.pgt_id, 'INITIAL', true);
    EXCEPTION WHEN unique_violation OR not_null_violation THEN
        PERFORM pgtrickle._assert_refreshable_here();
        PERFORM pgtrickle._fill_aside(st);
        SELECT t.* INTO STRICT f FROM pgtrickle.pgt_frontiers t WHERE t.pgt_id = st.pgt_id;
        PERFORM pgtrickle._lock_storage(st.pgt_relid);
        PERFORM pgtrickle._strip_storage(st.pgt_relid);
        PERFORM pgtrickle._install_full(st.pgt_id, format('pgtrickle_programs.__pgt_aside_%s', st.pgt_id)::regclass);
        PERFORM pgtrickle._refresh(st.pgt_id, 'INITIAL', true);
        UPDATE pgtrickle.pgt_frontiers t
        SET snapshot = f.snapshot, own_xid = f.own_xid, own_seq = f.own_seq WHERE t.pgt_id = st.pgt_id;
        PERFORM pgtrickle._install_full(st.pgt_id);
        EXECUTE format('DROP TABLE pgtrickle_programs.__pgt_aside_%s', st.pgt_id);
        RETURN;
    END;
    PERFORM pgtrickle._lock_storage(st.pgt_relid);
    PERFORM pgtrickle._strip_storage(st.pgt_relid);
END
$fn$;
