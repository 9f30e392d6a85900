-- After a refresh: would another one like the slowest of the last few keep the freshness deadline? If not, tell, but no
-- more often than schedule_alert_cooldown_seconds.
CREATE FUNCTION pgtrickle._foresee_breach(st pgtrickle.pgt_stream_tables) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    recent       constant int := 5;
    predicted_ms float8 := 1.1 * (
        SELECT max(extract(epoch FROM h.end_time - h.start_time)) * 1000
        FROM (SELECT r.start_time, r.end_time FROM pgtrickle.pgt_refresh_history r
              WHERE r.pgt_id = st.pgt_id AND r.status = 'COMPLETED' ORDER BY r.start_time DESC LIMIT recent) h);
BEGIN
    IF predicted_ms > st.freshness_deadline_ms THEN
        PERFORM pgtrickle._alert_seldom(
            'predicted_sla_breach', st, NULL,
            jsonb_build_object('predicted_ms', round(predicted_ms::numeric, 1), 'sla_ms', st.freshness_deadline_ms,
                               'pct_over', round((100 * (predicted_ms / st.freshness_deadline_ms - 1))::numeric, 1)),
            pgtrickle._setting_seconds('schedule_alert_cooldown_seconds', '300'));
    END IF;
END
$fn$;
