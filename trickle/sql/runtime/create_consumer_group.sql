-- A group reads an outbox once, however many consumers share the work; groups do not know of each other. `latest` begins
-- with what is committed after this moment, `earliest` with the oldest message that is kept.
CREATE FUNCTION pgtrickle.create_consumer_group(name text, outbox text, auto_offset_reset text DEFAULT 'latest') RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
BEGIN
    PERFORM pgtrickle._create_consumer_group(name, pgtrickle._find_outbox(outbox, current_schema()::pg_catalog.text), auto_offset_reset);
END
$fn$;
