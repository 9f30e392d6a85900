-- Tell whoever listens what happened, to a stream table if one is given. Listeners of this field wait on either of two channels, so both
-- are told. A notification takes a lock of the whole database at commit: this is for what happens rarely.
CREATE FUNCTION pgtrickle._alert(event text, st pgtrickle.pgt_stream_tables, details jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    longest int := 2000;
    payload jsonb := jsonb_strip_nulls(jsonb_build_object(
        'event', event, 'pgt_schema', st.pgt_schema, 'pgt_name', st.pgt_name, 'st', st.pgt_schema || '.' || st.pgt_name)) || details;
BEGIN
    -- A payload has fewer than 8000 bytes; what is too long is cut within its text, so that it stays JSON.
    WHILE octet_length(payload::text) > 7500 AND longest > 10 LOOP
        payload := (SELECT jsonb_object_agg(e.key, CASE jsonb_typeof(e.value) WHEN 'string'
                               THEN to_jsonb(left(e.value #>> '{}', longest)) ELSE e.value END)
                    FROM jsonb_each(payload) e);
        longest := longest / 2;
    END LOOP;
    PERFORM pg_notify('pg_trickle_alert', payload::text), pg_notify('pgtrickle_alert', payload::text);
END
$fn$;
