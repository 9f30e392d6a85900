-- Say that a consumer lives. One that has never polled is not known, and that is no error.
CREATE FUNCTION pgtrickle.consumer_heartbeat(group_name text, consumer_id text) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
BEGIN
    UPDATE pgtrickle.pgt_consumer_offsets o SET last_heartbeat_at = clock_timestamp()
    WHERE o.group_name = consumer_heartbeat.group_name AND o.consumer_id = consumer_heartbeat.consumer_id;
    IF NOT FOUND AND NOT EXISTS (SELECT FROM pgtrickle.pgt_consumer_groups g WHERE g.group_name = consumer_heartbeat.group_name) THEN
        PERFORM pgtrickle._lock_group(group_name);
    END IF;
END
$fn$;
