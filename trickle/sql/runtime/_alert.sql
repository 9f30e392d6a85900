-- Tell who listens what has happened, on both channels: {"event", "pgt_schema", "pgt_name", "st", …}. Heard at commit, which
-- a NOTIFY makes wait for other commits that notify: for what happens seldom. Texts are cut where the payload, which is
-- always whole JSON, would be too long to send.
CREATE FUNCTION pgtrickle._alert(event text, st pgtrickle.pgt_stream_tables, extra jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    payload jsonb := jsonb_build_object('event', _alert.event);
    longest int := 2000;
BEGIN
    IF st.pgt_id IS NOT NULL THEN
        payload := payload || jsonb_build_object('pgt_schema', st.pgt_schema, 'pgt_name', st.pgt_name,
                                                 'st', st.pgt_schema || '.' || st.pgt_name);
    END IF;
    payload := payload || coalesce(extra, '{}');
    WHILE octet_length(payload::text) > 7900 AND longest >= 20 LOOP
        payload := (
            SELECT jsonb_object_agg(e.key, CASE WHEN jsonb_typeof(e.value) = 'string' AND length(e.value #>> '{}') > longest
                                                THEN to_jsonb(left(e.value #>> '{}', longest) || '…') ELSE e.value END)
            FROM jsonb_each(payload) e);
        longest := longest / 2;
    END LOOP;
    PERFORM pg_notify('pg_trickle_alert', payload::text), pg_notify('pgtrickle_alert', payload::text);
END
$fn$;
