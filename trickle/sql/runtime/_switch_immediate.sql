-- A stream table has just become IMMEDIATE, or is it no more; its writers are locked out. Either way it needs another
-- program, and a fill after which the new way of keeping it begins.
CREATE FUNCTION pgtrickle._switch_immediate(st pgtrickle.pgt_stream_tables) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    label text := st.pgt_schema || '.' || st.pgt_name;
BEGIN
    IF st.refresh_mode = 'IMMEDIATE' AND st.program_state = 'full_only' AND st.program_reason IS NOT NULL THEN
        RAISE EXCEPTION 'unsupported operator for IMMEDIATE mode: % (%)', label, st.program_reason
            USING ERRCODE = '0A000', HINT = 'Use refresh_mode => ''FULL'' or ''DIFFERENTIAL'' with a schedule.';
    END IF;
    UPDATE pgtrickle.pgt_stream_tables s
    SET program_state = CASE s.program_state WHEN 'compiled' THEN 'stale' ELSE 'none' END
    WHERE s.pgt_id = st.pgt_id;
    PERFORM pgtrickle._register_sources(st.pgt_id);
    PERFORM pgtrickle._arrange_immediate();
    PERFORM pgtrickle._restamp(st.pgt_id);
    IF st.is_populated THEN
        PERFORM pgtrickle._refresh(st.pgt_id, 'MANUAL', true);
    END IF;
    RAISE WARNING 'stream table % is now %', label,
        CASE st.refresh_mode WHEN 'IMMEDIATE' THEN 'brought up to date by every statement that writes its sources'
                             ELSE format('refreshed %s', coalesce('every ' || st.schedule, 'when a source has changed')) END;
END
$fn$;
