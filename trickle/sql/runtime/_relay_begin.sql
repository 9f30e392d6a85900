-- Begin to carry a pipeline: its place, under a new number. Whoever carried it before can move that place no more.
CREATE FUNCTION pgtrickle._relay_begin(name text)
RETURNS TABLE (outbox_table text, delta_table text, stream_table text, prev pg_snapshot, cur pg_snapshot, delivered_id bigint, epoch bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    pipeline pgtrickle.pgt_relay_pipelines;
BEGIN
    PERFORM pgtrickle._assert_identity();
    SELECT p.* INTO pipeline FROM pgtrickle.pgt_relay_pipelines p WHERE p.pipeline_name = name;
    DELETE FROM pgtrickle.pgt_consumer_leases l WHERE l.group_name = pipeline.group_name;
    RETURN QUERY
        UPDATE pgtrickle.pgt_consumer_groups g SET epoch = g.epoch + 1
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
