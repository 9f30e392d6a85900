-- Remove the messages whose time is over, a batch of each outbox at most, and consumers that have been silent for too long.
-- With outbox_force_retention a message stays until every group has committed it. Returns how many messages went.
CREATE FUNCTION pgtrickle._drain_outboxes() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    batch   int := pgtrickle._setting_number('outbox_drain_batch_size', '500')::int;
    forced  boolean := pgtrickle._setting_flag('outbox_force_retention', 'off');
    box     pgtrickle.pgt_outbox_config;
    removed bigint;
    total   bigint := 0;
    not_needed constant text :=
        'AND NOT EXISTS (SELECT FROM pgtrickle.pgt_consumer_groups g WHERE g.outbox_name = $3 '
        'AND NOT pg_visible_in_snapshot(m.xid, g.prev) '
        'AND NOT (m.id <= g.delivered_id AND pg_visible_in_snapshot(m.xid, g.cur))) '
        'AND NOT EXISTS (SELECT FROM pgtrickle.pgt_consumer_groups g JOIN pgtrickle.pgt_consumer_leases l USING (group_name) '
        'WHERE g.outbox_name = $3 AND m.id > l.from_id AND m.id <= l.to_id AND pg_visible_in_snapshot(m.xid, l.cur) '
        'AND NOT pg_visible_in_snapshot(m.xid, l.prev))';
BEGIN
    IF pgtrickle._setting_flag('consumer_cleanup_enabled', 'on') THEN
        -- What they hold is free for the others of their group: their leases have expired long ago.
        DELETE FROM pgtrickle.pgt_consumer_offsets o
        WHERE o.last_heartbeat_at < clock_timestamp()
                  - make_interval(hours => pgtrickle._setting_number('consumer_dead_threshold_hours', '24')::int)
          AND NOT EXISTS (SELECT FROM pgtrickle.pgt_consumer_leases l
                          WHERE l.group_name = o.group_name AND l.consumer_id = o.consumer_id);
    END IF;
    IF NOT pgtrickle._setting_flag('outbox_enabled', 'on') THEN
        RETURN 0;
    END IF;
    FOR box IN SELECT o.* FROM pgtrickle.pgt_outbox_config o ORDER BY o.outbox_name LOOP
        EXECUTE format(
            'DELETE FROM pgtrickle.%1$I WHERE id IN (SELECT m.id FROM pgtrickle.%1$I m WHERE m.created_at < $1 %2$s '
            'ORDER BY m.created_at LIMIT $2 FOR UPDATE SKIP LOCKED)', box.outbox_table_name, CASE WHEN forced THEN not_needed ELSE '' END)
        USING clock_timestamp() - make_interval(hours => box.retention_hours), batch, box.outbox_name;
        GET DIAGNOSTICS removed = ROW_COUNT;
        IF removed > 0 THEN
            UPDATE pgtrickle.pgt_outbox_config o SET last_drained_at = clock_timestamp(), last_drained_count = removed
            WHERE o.outbox_name = box.outbox_name;
        END IF;
        total := total + removed;
    END LOOP;
    RETURN total;
END
$fn$;
