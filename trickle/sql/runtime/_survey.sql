-- Look for what goes wrong without an event of its own, and tell of it, each no more often than alerts may repeat. Of all
-- that ask within a minute one looks. Returns how much was told.
CREATE FUNCTION pgtrickle._survey(every_seconds float8 DEFAULT 55) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
#variable_conflict use_column
DECLARE
    pause    float8 := pgtrickle._setting_seconds('schedule_alert_cooldown_seconds', '300');
    told     int := 0;
    item     record;
BEGIN
    INSERT INTO pgtrickle.pgt_alerts AS a (event) VALUES ('survey')
    ON CONFLICT ON CONSTRAINT pgt_alerts_pkey DO UPDATE SET alerted_at = clock_timestamp()
    WHERE a.alerted_at < clock_timestamp() - make_interval(secs => every_seconds);
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM pgtrickle.pgt_alerts a
    WHERE a.pgt_id <> 0 AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = a.pgt_id)
       OR a.source_id <> 0 AND NOT EXISTS (SELECT FROM pgtrickle.pgt_change_tracking t WHERE t.source_id = a.source_id);
    FOR item IN SELECT * FROM pgtrickle._lasting_troubles() LOOP
        told := told + pgtrickle._alert_seldom(
            item.event, (SELECT s FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = item.pgt_id), item.source_id, item.details, pause)::int;
    END LOOP;
    RETURN told + pgtrickle._survey_buffers(pause);
END
$fn$;
