-- Each consumer of a group: what it committed last, the last message there is, and how many wait for the group.
CREATE FUNCTION pgtrickle.consumer_lag(group_name text)
RETURNS TABLE (consumer_id text, committed_offset bigint, max_outbox_id bigint, lag bigint, last_heartbeat_at timestamptz,
               is_alive boolean)
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    here    pgtrickle.pgt_consumer_groups;
    made    text;
    last_id bigint;
    waiting bigint;
    held    bigint := 0;
    lease   record;
    part    bigint;
BEGIN
    SELECT g.* INTO here FROM pgtrickle.pgt_consumer_groups g WHERE g.group_name = consumer_lag.group_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'consumer group not found: %', group_name USING ERRCODE = '42704';
    END IF;
    made := (SELECT o.outbox_table_name FROM pgtrickle.pgt_outbox_config o WHERE o.outbox_name = here.outbox_name);
    EXECUTE format('SELECT max(m.id) FROM pgtrickle.%I m', made) INTO last_id;
    EXECUTE format(
        'SELECT (SELECT count(*) FROM pgtrickle.%1$I m WHERE m.xid >= pg_snapshot_xmin($1) AND NOT pg_visible_in_snapshot(m.xid, $1)) '
        '+ (SELECT count(*) FROM pgtrickle.%1$I m WHERE m.id > $3 AND pg_visible_in_snapshot(m.xid, $1) '
        'AND NOT pg_visible_in_snapshot(m.xid, $2))', made)
    INTO waiting USING here.cur, here.prev, here.delivered_id;
    FOR lease IN SELECT l.* FROM pgtrickle.pgt_consumer_leases l WHERE l.group_name = consumer_lag.group_name LOOP
        EXECUTE format('SELECT count(*) FROM pgtrickle.%I m WHERE m.id > $1 AND m.id <= $2 AND pg_visible_in_snapshot(m.xid, $3) '
                       'AND NOT pg_visible_in_snapshot(m.xid, $4)', made)
        INTO part USING lease.from_id, lease.to_id, lease.cur, lease.prev;
        held := held + part;
    END LOOP;
    RETURN QUERY
    SELECT o.consumer_id, o.committed_offset, coalesce(last_id, 0), waiting + held, o.last_heartbeat_at,
           o.last_heartbeat_at > clock_timestamp() - make_interval(hours => pgtrickle._setting_number('consumer_dead_threshold_hours', '24')::int)
    FROM pgtrickle.pgt_consumer_offsets o WHERE o.group_name = consumer_lag.group_name ORDER BY 1;
END
$fn$;
