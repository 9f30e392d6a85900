CREATE FUNCTION pgtrickle._explain_refresh_mode(st pgtrickle.pgt_stream_tables)
RETURNS TABLE (configured_mode text, effective_mode text, downgrade_reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT st.requested_mode, st.effective_refresh_mode,
           CASE WHEN st.requested_mode = 'FULL' THEN NULL
                WHEN st.refresh_mode = 'FULL' THEN coalesce(st.volatility_reason, 'the query cannot be kept differentially')
                WHEN st.refresh_mode = 'DIFFERENTIAL' AND st.program_state <> 'compiled' THEN
                    CASE WHEN st.program_state = 'none' THEN 'not compiled yet'
                         ELSE coalesce(st.program_reason, 'its program is ' || st.program_state) END
                WHEN st.refresh_mode = 'DIFFERENTIAL' AND st.effective_refresh_mode = 'FULL' THEN (
                    SELECT r.reason FROM pgtrickle.pgt_refresh_history r
                    WHERE r.pgt_id = st.pgt_id AND r.status = 'COMPLETED'
                    ORDER BY r.start_time DESC, r.refresh_id DESC LIMIT 1) END
$fn$;
