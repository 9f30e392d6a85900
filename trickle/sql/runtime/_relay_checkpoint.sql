-- Everything up to here is delivered or dead-lettered. False when somebody else carries the pipeline now.
CREATE FUNCTION pgtrickle._relay_checkpoint(
    reader text, number bigint, seen pg_snapshot, seeing pg_snapshot, through_id bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    UPDATE pgtrickle.pgt_consumer_groups g
    SET prev = seen, cur = seeing, delivered_id = through_id, committed_id = greatest(g.committed_id, through_id)
    WHERE g.group_name = reader AND g.epoch = number;
    RETURN FOUND;
END
$fn$;
