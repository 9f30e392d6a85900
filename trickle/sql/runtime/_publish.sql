CREATE FUNCTION pgtrickle._publish(outbox text, key text, payload jsonb, headers jsonb, body bytea, content_type text) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    box  pgtrickle.pgt_outbox_config;
    made uuid;
BEGIN
    SELECT o.* INTO box FROM pgtrickle.pgt_outbox_config o WHERE o.outbox_name = outbox;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'outbox not found: %', outbox
            USING ERRCODE = '42704', HINT = 'pgtrickle.create_outbox(name) makes one.';
    ELSIF box.pgt_id IS NOT NULL THEN
        RAISE EXCEPTION 'outbox % belongs to a stream table: its refreshes write to it', outbox USING ERRCODE = '42809';
    ELSIF payload IS NULL AND body IS NULL THEN
        RAISE EXCEPTION 'invalid argument: a message without payload' USING ERRCODE = '22004';
    ELSIF headers IS NOT NULL AND jsonb_typeof(headers) <> 'object' THEN
        RAISE EXCEPTION 'invalid argument: headers are a JSON object, not %', jsonb_typeof(headers) USING ERRCODE = '22023';
    END IF;
    EXECUTE format('INSERT INTO pgtrickle.%I (key, payload, headers, body, content_type, inserted_count) '
                   'VALUES ($1, $2, $3, $4, $5, 1) RETURNING pgt_id', box.outbox_table_name)
    INTO made USING key, payload, headers, body, content_type;
    -- A relay that has nothing to do holds the bell of the outbox, and is told; else nobody needs to be.
    IF NOT pg_try_advisory_xact_lock_shared(1885828972, hashtext(outbox) & 127) THEN
        PERFORM pg_notify('pgtrickle_outbox', (hashtext(outbox) & 127) || ' ' || outbox);
    END IF;
    RETURN made;
END
$fn$;
