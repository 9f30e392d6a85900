-- The dead letters of one pipeline, or of all: the newest first.
CREATE FUNCTION pgtrickle.relay_dlq_list(name text DEFAULT NULL, max_rows int DEFAULT 100)
RETURNS TABLE (id bigint, pipeline_name text, event_id text, key text, error_kind text, error_message text, attempts int,
               failed_at timestamptz, is_retrying boolean, content_type text, headers jsonb, payload_bytes int, payload text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT d.letter_id, d.pipeline_name, d.event_id, d.key, d.kind, d.reason, d.attempts, d.failed_at, d.retry_at IS NOT NULL,
           d.content_type, d.headers, octet_length(d.payload), encode(substr(d.payload, 1, 1000), 'escape')
    FROM pgtrickle.pgt_relay_dead_letters d
    WHERE relay_dlq_list.name IS NULL OR d.pipeline_name = relay_dlq_list.name
    ORDER BY d.letter_id DESC LIMIT max_rows
$fn$;
