-- Remove a batch of processed messages whose time is over from each inbox, and of dead ones where inbox_dlq_retention_hours
-- says how long they are kept; tell of inboxes with many dead. Returns how many messages went.
CREATE FUNCTION pgtrickle._drain_inboxes() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    batch   int := pgtrickle._setting_number('inbox_drain_batch_size', '500')::int;
    dead_hours int := pgtrickle._setting_number('inbox_dlq_retention_hours', '0')::int;
    most    bigint := pgtrickle._setting_number('inbox_dlq_alert_max_per_refresh', '10');
    box     pgtrickle.pgt_inbox_config;
    state   record;
    dead    bigint;
    removed bigint;
    total   bigint := 0;
BEGIN
    IF NOT pgtrickle._setting_flag('inbox_enabled', 'on') THEN
        RETURN 0;
    END IF;
    FOR box IN SELECT i.* FROM pgtrickle.pgt_inbox_config i ORDER BY i.inbox_name LOOP
        CONTINUE WHEN to_regclass(format('%I.%I', box.inbox_schema, box.table_name)) IS NULL;
        SELECT * INTO state FROM pgtrickle._inbox_state(box);
        EXECUTE format(
            'DELETE FROM %1$I.%2$I WHERE %3$I IN (SELECT m.%3$I FROM %1$I.%2$I m WHERE m.%4$I < $1 %5$s LIMIT $2 FOR UPDATE SKIP LOCKED)',
            box.inbox_schema, box.table_name, box.id_column, box.processed_at_column,
            CASE WHEN dead_hours > 0 AND box.received_at_column IS NOT NULL
                 THEN format('OR (%s AND m.%I < now() - make_interval(hours => %s))', state.dead, box.received_at_column, dead_hours)
                 ELSE '' END)
        USING now() - make_interval(hours => box.retention_hours), batch;
        GET DIAGNOSTICS removed = ROW_COUNT;
        total := total + removed;
        IF most > 0 THEN
            EXECUTE format('SELECT count(*) FROM (SELECT FROM %I.%I WHERE %s LIMIT $1) d', box.inbox_schema, box.table_name, state.dead)
            INTO dead USING most;
            IF dead >= most THEN
                PERFORM pgtrickle._alert_seldom(
                    'inbox_dlq_growth', NULL, hashtext(box.inbox_name),
                    jsonb_build_object('inbox', box.inbox_name, 'dlq_messages', (pgtrickle.inbox_health(box.inbox_name) ->> 'dlq_messages')::bigint,
                                       'threshold', most),
                    pgtrickle._setting_seconds('schedule_alert_cooldown_seconds', '300'));
            END IF;
        END IF;
    END LOOP;
    RETURN total;
END
$fn$;
