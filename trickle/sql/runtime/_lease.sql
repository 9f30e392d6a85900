-- What a consumer is to have now; nothing when there is nothing. The group is locked.
CREATE FUNCTION pgtrickle._lease(
    here pgtrickle.pgt_consumer_groups, consumer text, batch_size int, visibility_seconds int) RETURNS pgtrickle.pgt_consumer_leases
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    expires timestamptz := clock_timestamp() + make_interval(secs => visibility_seconds);
    made    text := (SELECT o.outbox_table_name FROM pgtrickle.pgt_outbox_config o WHERE o.outbox_name = here.outbox_name);
    lease   pgtrickle.pgt_consumer_leases;
    last_id bigint;
    first_id bigint;
    now_seen pg_snapshot;
BEGIN
    INSERT INTO pgtrickle.pgt_consumer_offsets AS o (group_name, consumer_id, committed_offset)
    VALUES (here.group_name, consumer, here.committed_id)
    ON CONFLICT (group_name, consumer_id) DO UPDATE SET last_heartbeat_at = clock_timestamp();
    SELECT l.* INTO lease FROM pgtrickle.pgt_consumer_leases l
    WHERE l.group_name = here.group_name AND (l.consumer_id = consumer OR l.lease_expires < clock_timestamp())
    ORDER BY l.consumer_id = consumer DESC, l.to_id LIMIT 1;
    IF FOUND THEN
        -- A new number: who held it before can commit it no more.
        DELETE FROM pgtrickle.pgt_consumer_leases l WHERE l.group_name = lease.group_name AND l.consumer_id = lease.consumer_id;
        lease.consumer_id := consumer;
        lease.lease_expires := expires;
    ELSE
        lease := NULL;
        FOR attempt IN 1..2 LOOP
            EXECUTE format(
                'SELECT max(m.id) FROM (SELECT m.id FROM pgtrickle.%I m WHERE m.id > $1 AND pg_visible_in_snapshot(m.xid, $2) '
                'AND NOT pg_visible_in_snapshot(m.xid, $3) ORDER BY m.id LIMIT $4) m', made)
            INTO last_id USING here.delivered_id, here.cur, here.prev, batch_size;
            EXIT WHEN last_id IS NOT NULL OR attempt = 2;
            -- This window is read to its end; the next one begins with what has been committed since.
            now_seen := pg_current_snapshot();
            EXECUTE format('SELECT min(m.id) - 1 FROM pgtrickle.%I m WHERE m.xid >= pg_snapshot_xmin($1) '
                           'AND NOT pg_visible_in_snapshot(m.xid, $1) AND pg_visible_in_snapshot(m.xid, $2)', made)
            INTO first_id USING here.cur, now_seen;
            IF first_id IS NULL THEN
                RETURN NULL;
            END IF;
            here.prev := here.cur;
            here.cur := now_seen;
            here.delivered_id := first_id;
        END LOOP;
        IF last_id IS NULL THEN
            RETURN NULL;
        END IF;
        lease.group_name := here.group_name;
        lease.consumer_id := consumer;
        lease.prev := here.prev;
        lease.cur := here.cur;
        lease.from_id := here.delivered_id;
        lease.to_id := last_id;
        lease.lease_expires := expires;
        here.delivered_id := last_id;
    END IF;
    lease.epoch := here.epoch + 1;
    UPDATE pgtrickle.pgt_consumer_groups g
    SET prev = here.prev, cur = here.cur, delivered_id = here.delivered_id, epoch = lease.epoch
    WHERE g.group_name = here.group_name;
    INSERT INTO pgtrickle.pgt_consumer_leases SELECT (lease).*;
    RETURN lease;
END
$fn$;
