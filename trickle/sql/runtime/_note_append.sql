-- An append-only stream table has been refreshed: its rows were inserted, or a row of a source went, and then the promise
-- no longer holds. Nothing is wrong, for the refresh was an ordinary one; but it is told, and not relied on again.
CREATE FUNCTION pgtrickle._note_append(st pgtrickle.pgt_stream_tables, is_kept boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    UPDATE pgtrickle.pgt_stream_tables s
    SET effective_refresh_mode = CASE WHEN is_kept THEN 'APPEND_ONLY' ELSE s.effective_refresh_mode END, is_append_only = is_kept
    WHERE s.pgt_id = st.pgt_id;
    IF NOT is_kept THEN
        PERFORM pgtrickle._alert('append_only_reverted', st);
        RAISE WARNING 'stream table %.% is append_only no more: a source has had rows updated or deleted', st.pgt_schema, st.pgt_name
            USING DETAIL = 'It was refreshed as any other, and goes on so.',
                  HINT = format('pgtrickle.alter_stream_table(%L, append_only => true) when its sources only grow again.',
                                st.pgt_schema || '.' || st.pgt_name);
    END IF;
END
$fn$;
