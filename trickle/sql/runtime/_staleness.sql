-- For how long a stream table may have lagged behind its sources. An IMMEDIATE one never does, while it is kept.
CREATE FUNCTION pgtrickle._staleness(st pgtrickle.pgt_stream_tables) RETURNS interval
LANGUAGE sql STABLE AS $fn$
    SELECT CASE WHEN st.refresh_mode = 'IMMEDIATE' AND st.is_populated AND NOT st.needs_reinit AND st.status = 'ACTIVE'
                THEN interval '0' ELSE now() - st.last_refresh_at END
$fn$;
