-- Make an inbox of a table that exists: the columns are named here, and the stream table <name>_pending is created.
CREATE FUNCTION pgtrickle.enable_inbox_tracking(
    name text, table_ref text, id_column text DEFAULT 'event_id', processed_at_column text DEFAULT 'processed_at',
    retry_count_column text DEFAULT 'retry_count', error_column text DEFAULT 'error', received_at_column text DEFAULT 'received_at',
    event_type_column text DEFAULT 'event_type', max_retries int DEFAULT 3, schedule text DEFAULT '1s') RETURNS void
LANGUAGE plpgsql AS $fn$
DECLARE
    relid pg_catalog.oid := pgtrickle._source(table_ref, current_schema()::pg_catalog.text);
BEGIN
    PERFORM pgtrickle._track_inbox(name, relid, ARRAY[id_column, processed_at_column, retry_count_column],
                                   ARRAY[error_column, received_at_column, event_type_column], max_retries, schedule);
END
$fn$;
