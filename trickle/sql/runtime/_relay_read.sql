-- The next messages of a window of an outbox: what `cur` sees and `prev` did not, after this id, in the order of ids; at most
-- so many, and no more than so many stored bytes, but one at least. Payloads come as bytes, as they will be sent.
CREATE FUNCTION pgtrickle._relay_read(
    outbox_table text, prev pg_snapshot, cur pg_snapshot, after_id bigint, most int, most_bytes bigint)
RETURNS TABLE (outbox_id bigint, event_id text, created_at timestamptz, key text, payload bytea, content_type text, headers text,
               inserted_count bigint, deleted_count bigint, is_jsonb boolean, is_claim_check boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT r.id, r.pgt_id::text, r.created_at, r.key, coalesce(r.body, convert_to(r.payload::text, ''UTF8''), ''''), '
        'coalesce(r.content_type, ''application/json''), CASE WHEN r.headers <> ''{}'' THEN r.headers::text END, '
        'r.inserted_count, r.deleted_count, r.body IS NULL, r.is_claim_check '
        'FROM (SELECT m.*, sum(64 + coalesce(pg_column_size(m.body), 0) + coalesce(pg_column_size(m.payload), 0)) '
        'OVER (ORDER BY m.id ROWS UNBOUNDED PRECEDING) AS bytes, row_number() OVER (ORDER BY m.id) AS n FROM ('
        'SELECT * FROM pgtrickle.%I m WHERE m.id > $1 AND pg_visible_in_snapshot(m.xid, $2) '
        'AND NOT pg_visible_in_snapshot(m.xid, $3) ORDER BY m.id LIMIT $4) m) r '
        'WHERE r.bytes <= $5 OR r.n = 1 ORDER BY r.id', outbox_table)
    USING after_id, cur, prev, most, most_bytes;
END
$fn$;
