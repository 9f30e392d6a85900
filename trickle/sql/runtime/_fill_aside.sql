-- Fill a table beside a stream table with what its query says, and move its frontier to the same snapshot, in one
-- statement. Nobody who reads the stream table notices. Returns the number of rows.
CREATE FUNCTION pgtrickle._fill_aside(st pgtrickle.pgt_stream_tables, partition_by text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    added  bigint;
    before jsonb;
BEGIN
    PERFORM pgtrickle._make_storage(
        format('pgtrickle_programs.__pgt_aside_%s', st.pgt_id), format('pgtrickle_programs.query_%s', st.pgt_id)::regclass,
        partition_by, format('__pgt_aside_%s', st.pgt_id), st.pgt_relid::regclass);
    PERFORM pgtrickle._hand_over('TABLE', format('pgtrickle_programs.__pgt_aside_%s', st.pgt_id), st.pgt_relid);
    IF NOT st.is_populated THEN
        RETURN 0;
    END IF;
    SELECT jsonb_object_agg(s.key, current_setting(s.key)) INTO before FROM jsonb_object_keys(st.session_settings) s(key);
    PERFORM set_config(s.key, s.value, true) FROM jsonb_each_text(st.session_settings) s;
    EXECUTE format($sql$
        WITH frontier AS (
            UPDATE pgtrickle.pgt_frontiers
            SET snapshot = pg_current_snapshot(), own_xid = pg_current_xact_id(),
                own_seq = nextval('pgtrickle_changes.change_seq'), markers = 0
            WHERE pgt_id = %1$s)
        INSERT INTO pgtrickle_programs.__pgt_aside_%1$s SELECT * FROM pgtrickle_programs.query_%1$s$sql$, st.pgt_id);
    GET DIAGNOSTICS added = ROW_COUNT;
    PERFORM set_config(s.key, s.value, true) FROM jsonb_each_text(before) s;
    RETURN added;
END
$fn$;
