-- Set a group to the messages after this one: back, to have them delivered again, or ahead. What its consumers hold now is
-- taken from them, and a relay that reads as this group begins anew.
CREATE FUNCTION pgtrickle.seek_offset(group_name text, consumer_id text, new_offset bigint) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
BEGIN
    PERFORM pgtrickle._assert_identity();
    PERFORM pgtrickle._lock_group(group_name);
    IF new_offset < 0 THEN
        RAISE EXCEPTION 'invalid argument: the offset is %, and must not be negative', new_offset USING ERRCODE = '22023';
    END IF;
    DELETE FROM pgtrickle.pgt_consumer_leases l WHERE l.group_name = seek_offset.group_name;
    UPDATE pgtrickle.pgt_consumer_groups g
    SET prev = '1:1:', cur = pg_current_snapshot(), delivered_id = new_offset, committed_id = new_offset, epoch = g.epoch + 1
    WHERE g.group_name = seek_offset.group_name;
    INSERT INTO pgtrickle.pgt_consumer_offsets AS o (group_name, consumer_id, committed_offset)
    VALUES (group_name, consumer_id, new_offset)
    ON CONFLICT ON CONSTRAINT pgt_consumer_offsets_pkey DO UPDATE
        SET committed_offset = excluded.committed_offset, last_heartbeat_at = clock_timestamp();
END
$fn$;
