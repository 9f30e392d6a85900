-- Say that a consumer is done with what it polled, up to and with this message. Refused when its lease has gone to another
-- consumer meanwhile: then that one is at work on the same messages.
CREATE FUNCTION pgtrickle.commit_offset(group_name text, consumer_id text, last_offset bigint) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    here  pgtrickle.pgt_consumer_groups := pgtrickle._lock_group(group_name);
    lease pgtrickle.pgt_consumer_leases;
BEGIN
    SELECT l.* INTO lease FROM pgtrickle.pgt_consumer_leases l
    WHERE l.group_name = commit_offset.group_name AND l.consumer_id = commit_offset.consumer_id;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM pgtrickle.pgt_consumer_offsets o WHERE o.group_name = commit_offset.group_name
                   AND o.consumer_id = commit_offset.consumer_id AND o.committed_offset >= last_offset) THEN
            RETURN;  -- said before
        END IF;
        RAISE EXCEPTION 'consumer % of group % holds no lease', consumer_id, group_name
            USING ERRCODE = '55000', HINT = 'It expired and went to another consumer, or nothing was polled. Poll again.';
    ELSIF last_offset <= lease.from_id OR last_offset > lease.to_id THEN
        RAISE EXCEPTION 'message % is not among those that consumer % of group % has polled (% to %)',
            last_offset, consumer_id, group_name, lease.from_id + 1, lease.to_id USING ERRCODE = '22023';
    END IF;
    IF last_offset = lease.to_id THEN
        DELETE FROM pgtrickle.pgt_consumer_leases l
        WHERE l.group_name = commit_offset.group_name AND l.consumer_id = commit_offset.consumer_id;
    ELSE
        UPDATE pgtrickle.pgt_consumer_leases l SET from_id = last_offset
        WHERE l.group_name = commit_offset.group_name AND l.consumer_id = commit_offset.consumer_id;
    END IF;
    UPDATE pgtrickle.pgt_consumer_offsets o
    SET committed_offset = last_offset, last_committed_at = clock_timestamp(), last_heartbeat_at = clock_timestamp()
    WHERE o.group_name = commit_offset.group_name AND o.consumer_id = commit_offset.consumer_id;
    UPDATE pgtrickle.pgt_consumer_groups g SET committed_id = greatest(g.committed_id, last_offset)
    WHERE g.group_name = commit_offset.group_name;
END
$fn$;
