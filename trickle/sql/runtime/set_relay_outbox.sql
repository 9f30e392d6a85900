-- Have the relay carry an outbox to a sink: make the pipeline, or change it. `sink` says what kind of destination and where,
-- {"type": "nats", "url": …}; `options` how to deliver. It reads as a consumer group, which is made if there is none; by
-- default it has the pipeline's name and begins with the oldest message that is kept. A stream table without an outbox gets
-- one that keeps messages for `retention_hours`.
CREATE FUNCTION pgtrickle.set_relay_outbox(
    name text, outbox text, "group" text DEFAULT NULL, sink jsonb DEFAULT NULL, retention_hours int DEFAULT 24,
    enabled boolean DEFAULT true, options jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $fn$
#variable_conflict use_variable
DECLARE
    box    pgtrickle.pgt_outbox_config := pgtrickle._find_outbox(outbox, current_schema()::pg_catalog.text, true);
    reader text := coalesce("group", name);
BEGIN
    PERFORM pgtrickle._check_pipeline(name, 'sink', sink, options);
    IF box.outbox_name IS NULL THEN
        IF to_regclass(outbox) IS NULL THEN
            PERFORM pgtrickle._find_outbox(outbox, current_schema()::pg_catalog.text);
        END IF;
        PERFORM pgtrickle.enable_outbox(outbox, retention_hours);
        box := pgtrickle._find_outbox(outbox, current_schema()::pg_catalog.text);
    END IF;
    PERFORM pgtrickle._set_relay_outbox(name, box, reader, sink, enabled, options);
END
$fn$;
