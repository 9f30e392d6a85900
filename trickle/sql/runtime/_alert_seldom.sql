-- The same for what goes on: not again before the pause is over. Only one of those who notice it at once tells of it.
-- Returns whether it was told.
CREATE FUNCTION pgtrickle._alert_seldom(
    event text, st pgtrickle.pgt_stream_tables, source_id int, details jsonb, pause_seconds float8) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    INSERT INTO pgtrickle.pgt_alerts AS a (event, pgt_id, source_id)
    VALUES (_alert_seldom.event, coalesce(st.pgt_id, 0), coalesce(_alert_seldom.source_id, 0))
    ON CONFLICT ON CONSTRAINT pgt_alerts_pkey DO UPDATE SET alerted_at = clock_timestamp()
    WHERE a.alerted_at <= clock_timestamp() - make_interval(secs => pause_seconds);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pgtrickle._alert(event, st, details);
    RETURN true;
END
$fn$;
