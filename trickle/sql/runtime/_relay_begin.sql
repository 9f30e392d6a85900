-- Begin to carry a pipeline: its place, under a new number. Whoever carried it before can move that place no more; the number
-- is never one that a pipeline of that name had before it was deleted. Whoever has a claim must still hold it: a relay that
-- was frozen, and has lost it meanwhile, must not take the pipeline from the one that carries it now.
CREATE FUNCTION pgtrickle._relay_begin(name text, claim_group text, claim_pid int)
RETURNS TABLE (outbox_table text, delta_table text, stream_table text, prev pg_snapshot, cur pg_snapshot, delivered_id bigint, epoch bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    pipeline pgtrickle.pgt_relay_pipelines;
BEGIN
    PERFORM pgtrickle._assert_identity();
    IF claim_pid IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.pid = claim_pid
          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND l.classid::bigint = hashtext(claim_group)::bigint & 4294967295
          AND l.objid::bigint = hashtext(name)::bigint & 4294967295)
    THEN
        RAISE EXCEPTION 'the claim on pipeline % is not ours any more', name USING ERRCODE = '55006';
    END IF;
    SELECT p.* INTO pipeline FROM pgtrickle.pgt_relay_pipelines p WHERE p.pipeline_name = name;
    DELETE FROM pgtrickle.pgt_consumer_leases l WHERE l.group_name = pipeline.group_name;
    RETURN QUERY
        UPDATE pgtrickle.pgt_consumer_groups g
        SET epoch = greatest(g.epoch + 1, pg_current_xact_id()::text::bigint)
        FROM pgtrickle.pgt_outbox_config o
        WHERE g.group_name = pipeline.group_name AND o.outbox_name = g.outbox_name
        RETURNING o.outbox_table_name, o.delta_table_name, CASE WHEN o.pgt_id IS NOT NULL THEN o.outbox_name END,
                  g.prev, g.cur, g.delivered_id, g.epoch;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'outbox % of pipeline % does not exist any more', pipeline.outbox_name, name
            USING ERRCODE = '42704', HINT = 'Make it again and call pgtrickle.set_relay_outbox, or pgtrickle.delete_relay(name).';
    END IF;
END
$fn$;
