-- Set messages aside that cannot be delivered; what is set aside already keeps its place and has the newer reason.
CREATE FUNCTION pgtrickle._relay_bury(name text, letters jsonb, payloads bytea[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    INSERT INTO pgtrickle.pgt_relay_dead_letters AS d
        (pipeline_name, event_id, key, payload, content_type, headers, facts, kind, reason, attempts)
    SELECT name, l.event_id, l.key, payloads[l.n], l.content_type, coalesce(l.headers, '{}'), coalesce(l.facts, '{}'), l.kind,
           l.reason, l.attempts
    FROM ROWS FROM (jsonb_to_recordset(letters) AS (event_id text, key text, content_type text, headers jsonb, facts jsonb,
                    kind text, reason text, attempts int)) WITH ORDINALITY
         AS l(event_id, key, content_type, headers, facts, kind, reason, attempts, n)
    ON CONFLICT (pipeline_name, event_id) DO UPDATE
    SET kind = excluded.kind, reason = excluded.reason, attempts = d.attempts + excluded.attempts, failed_at = excluded.failed_at,
        retry_at = NULL
$fn$;
