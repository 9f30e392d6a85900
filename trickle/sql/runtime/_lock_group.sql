-- A consumer group, for the rest of the transaction ours alone. Publishers never wait for this.
CREATE FUNCTION pgtrickle._lock_group(name text) RETURNS pgtrickle.pgt_consumer_groups
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    found_group pgtrickle.pgt_consumer_groups;
BEGIN
    SELECT g.* INTO found_group FROM pgtrickle.pgt_consumer_groups g WHERE g.group_name = name FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'consumer group not found: %', name
            USING ERRCODE = '42704', HINT = 'pgtrickle.create_consumer_group(name, outbox) makes one.';
    END IF;
    RETURN found_group;
END
$fn$;
