-- The next messages of a window of an outbox: what `cur` sees and `prev` did not, after this id, in the order of ids; at most
-- so many, and no more than so many stored bytes, but one at least. Payloads come as bytes, as they will be sent.
CREATE FUNCTION pgtrickle._relay_read(
    outbox_table text, prev pg_snapshot, cur pg_snapshot, after_id bigint, most int, most_bytes bigint)
RETURNS TABLE (outbox_id bigint, event_id text, created_at timestamptz, key text, payload bytea, content_type text, headers text,
               inserted_count bigint, deleted_count bigint, is_jsonb boolean, is_claim_check boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    sizes constant text := format(
        'SELECT m.id, 64 + coalesce(pg_column_size(m.body), 0) + coalesce(pg_column_size(m.payload), 0) AS bytes '
        'FROM pgtrickle.%I m WHERE m.id > $1 AND pg_visible_in_snapshot(m.xid, $2) AND NOT pg_visible_in_snapshot(m.xid, $3) '
        'ORDER BY m.id LIMIT $4', outbox_table);
    last_id bigint;
    bytes   bigint;
BEGIN
    EXECUTE 'SELECT max(s.id), sum(s.bytes) FROM (' || sizes || ') s' INTO last_id, bytes USING after_id, cur, prev, most;
    IF bytes > most_bytes THEN
        EXECUTE 'SELECT max(t.id) FROM (SELECT s.id, sum(s.bytes) OVER (ORDER BY s.id) AS total, row_number() OVER (ORDER BY s.id) AS n '
                'FROM (' || sizes || ') s) t WHERE t.total <= $5 OR t.n = 1'
        INTO last_id USING after_id, cur, prev, most, most_bytes;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT m.id, m.pgt_id::text, m.created_at, m.key, coalesce(m.body, convert_to(m.payload::text, ''UTF8''), ''''), '
        'coalesce(m.content_type, ''application/json''), CASE WHEN m.headers <> ''{}'' THEN m.headers::text END, '
        'm.inserted_count, m.deleted_count, m.body IS NULL, m.is_claim_check '
        'FROM pgtrickle.%I m WHERE m.id > $1 AND m.id <= $5 AND pg_visible_in_snapshot(m.xid, $2) '
        'AND NOT pg_visible_in_snapshot(m.xid, $3) ORDER BY m.id LIMIT $4', outbox_table)
    USING after_id, cur, prev, most, last_id;
END
$fn$;
