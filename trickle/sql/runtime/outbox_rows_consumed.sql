-- The rows of large deltas up to this message are used up: drop them. The messages themselves stay until their time.
CREATE FUNCTION pgtrickle.outbox_rows_consumed(stream_table text, outbox_id bigint) RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
DECLARE
    box pgtrickle.pgt_outbox_config := pgtrickle._find_outbox(stream_table, current_schema()::pg_catalog.text);
BEGIN
    IF box.delta_table_name IS NOT NULL THEN
        EXECUTE pg_catalog.format('DELETE FROM pgtrickle.%I WHERE outbox_id OPERATOR(pg_catalog.<=) $1', box.delta_table_name)
        USING outbox_id;
    END IF;
END
$fn$;
