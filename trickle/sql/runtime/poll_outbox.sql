-- Take the next messages of a group, for so many seconds: first what another consumer took and did not commit in time, then
-- what nobody has taken. Who polls again without having committed gets the same messages again. Until the lease expires
-- no other consumer of the group gets them.
CREATE FUNCTION pgtrickle.poll_outbox(
    group_name text, consumer_id text, batch_size int DEFAULT 100, visibility_seconds int DEFAULT 30)
RETURNS TABLE (outbox_id bigint, pgt_id uuid, created_at timestamptz, inserted_count bigint, deleted_count bigint,
               is_claim_check boolean, payload jsonb, key text, headers jsonb, body bytea, content_type text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    lease pgtrickle.pgt_consumer_leases;
    made  text;
BEGIN
    IF NOT batch_size BETWEEN 1 AND 100000 OR NOT visibility_seconds BETWEEN 1 AND 86400 OR coalesce(btrim(consumer_id), '') = '' THEN
        RAISE EXCEPTION 'invalid argument: batch_size is 1 to 100000, visibility_seconds 1 to 86400, and a consumer has a name'
            USING ERRCODE = '22023';
    END IF;
    PERFORM pgtrickle._assert_identity();
    lease := pgtrickle._lease(pgtrickle._lock_group(group_name), consumer_id, batch_size, visibility_seconds);
    IF lease.group_name IS NULL THEN
        RETURN;
    END IF;
    made := (SELECT o.outbox_table_name FROM pgtrickle.pgt_consumer_groups g JOIN pgtrickle.pgt_outbox_config o USING (outbox_name)
             WHERE g.group_name = poll_outbox.group_name);
    RETURN QUERY EXECUTE format(
        'SELECT m.id, m.pgt_id, m.created_at, m.inserted_count, m.deleted_count, m.is_claim_check, m.payload, m.key, m.headers, '
        'm.body, m.content_type FROM pgtrickle.%I m WHERE m.id > $1 AND m.id <= $2 '
        'AND pg_visible_in_snapshot(m.xid, $3) AND NOT pg_visible_in_snapshot(m.xid, $4) ORDER BY m.id', made)
    USING lease.from_id, lease.to_id, lease.cur, lease.prev;
END
$fn$;
