-- Tell of a refresh that takes most of the time that its schedule leaves: soon it cannot be kept.
CREATE FUNCTION pgtrickle._alert_if_behind(st pgtrickle.pgt_stream_tables, seconds float8) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    allowed float8 := CASE WHEN st.schedule !~ '[\s@]' THEN pgtrickle.parse_duration_seconds(st.schedule) END;
BEGIN
    IF seconds >= 0.8 * allowed THEN
        PERFORM pgtrickle._alert_seldom(
            'scheduler_falling_behind', st, NULL,
            jsonb_build_object('elapsed_ms', round((seconds * 1000)::numeric, 1), 'schedule_ms', allowed * 1000,
                               'ratio', round((seconds / allowed)::numeric, 2)),
            pgtrickle._setting_seconds('schedule_alert_cooldown_seconds', '300'));
    END IF;
END
$fn$;
