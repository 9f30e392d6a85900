-- A month counts 30 days. What may be a few seconds old wants attention before what may be minutes old: the tier follows.
CREATE FUNCTION pgtrickle._set_sla(st pgtrickle.pgt_stream_tables, sla interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    ms float8 := (extract(year FROM sla) * 12 + extract(month FROM sla)) * 2592000000
                 + extract(epoch FROM sla - date_trunc('month', sla)) * 1000;
BEGIN
    PERFORM pgtrickle._assert_owner(st);
    IF ms <= 0 OR ms > 1e15 THEN
        RAISE EXCEPTION 'invalid argument: the freshness deadline of %.% would be %', st.pgt_schema, st.pgt_name, sla
            USING ERRCODE = '22023', HINT = 'Give an interval longer than nothing, such as ''10 seconds''.';
    END IF;
    UPDATE pgtrickle.pgt_stream_tables s
    SET freshness_deadline_ms = round(ms), updated_at = clock_timestamp(),
        refresh_tier = CASE WHEN ms IS NULL OR s.refresh_tier = 'frozen' THEN s.refresh_tier
                            WHEN ms <= 5000 THEN 'hot' WHEN ms <= 30000 THEN 'warm' ELSE 'cold' END
    WHERE s.pgt_id = st.pgt_id;
    PERFORM pgtrickle._ring();
END
$fn$;
