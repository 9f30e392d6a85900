-- The storage that an outbox listens to goes: the next refresh finds the new one, and tells all of its rows.
CREATE FUNCTION pgtrickle._detach_outbox(pgt_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    former int := (SELECT o.source_id FROM pgtrickle.pgt_outbox_config o WHERE o.pgt_id = _detach_outbox.pgt_id);
BEGIN
    UPDATE pgtrickle.pgt_outbox_config o SET source_id = NULL, last_seq = 0 WHERE o.pgt_id = _detach_outbox.pgt_id;
    PERFORM pgtrickle._drop_unused_capture(ARRAY[former]);
END
$fn$;
