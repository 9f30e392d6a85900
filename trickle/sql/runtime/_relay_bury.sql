-- Set messages aside that cannot be delivered; what is set aside already keeps its place and has the newer reason. Of those
-- with one event id the first is kept: they are one message that came more than once.
CREATE FUNCTION pgtrickle._relay_bury(name text, letters jsonb, payloads bytea[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    INSERT INTO pgtrickle.pgt_relay_dead_letters AS d
        (pipeline_name, event_id, key, payload, content_type, headers, facts, kind, reason, attempts)
    SELECT name, f.event_id, f.key, payloads[f.n], f.content_type, coalesce(f.headers, '{}'), coalesce(f.facts, '{}'), f.kind,
           f.reason, f.attempts
    FROM (SELECT DISTINCT ON (l.event_id) l.*
          FROM ROWS FROM (jsonb_to_recordset(letters) AS (event_id text, key text, content_type text, headers jsonb, facts jsonb,
                          kind text, reason text, attempts int)) WITH ORDINALITY
               AS l(event_id, key, content_type, headers, facts, kind, reason, attempts, n)
          ORDER BY l.event_id, l.n) f
    ORDER BY f.n
    ON CONFLICT (pipeline_name, event_id) DO UPDATE
    SET kind = excluded.kind, reason = excluded.reason, attempts = d.attempts + excluded.attempts, failed_at = excluded.failed_at,
        retry_at = NULL
$fn$;
