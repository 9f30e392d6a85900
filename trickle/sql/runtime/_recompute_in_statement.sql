-- Recompute an IMMEDIATE stream table in full within the statement that has written a source. Its writers are locked
-- out; what they have committed is seen, and what they have not they will add themselves.
CREATE FUNCTION pgtrickle._recompute_in_statement(pgt_id bigint, why text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st      pgtrickle.pgt_stream_tables;
    outcome pgtrickle.refresh_outcome;
    started timestamptz := clock_timestamp();
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM pgtrickle._refuse_isolation(_recompute_in_statement.pgt_id);
    END IF;
    PERFORM pgtrickle._assert_identity();
    SELECT s.* INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _recompute_in_statement.pgt_id;
    EXECUTE format('SELECT * FROM pgtrickle_programs.full_%s()', st.pgt_id) INTO outcome;
    outcome.reason := coalesce(why, CASE WHEN st.needs_reinit THEN 'reinitialized'
                                         WHEN st.program_state = 'none' THEN 'not compiled yet'
                                         WHEN st.program_state = 'stale' THEN 'not compiled again yet'
                                         ELSE st.program_reason END);
    PERFORM pgtrickle._record_refresh(st, outcome, started, 'WRITER', false, NULL);
END
$fn$;
