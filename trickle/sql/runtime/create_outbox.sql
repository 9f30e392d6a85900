-- An outbox to which an application publishes, in its own transactions: pgtrickle.publish(name, key, payload, headers).
CREATE FUNCTION pgtrickle.create_outbox(name text, retention_hours int DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    made text;
BEGIN
    IF name IS NULL OR name !~ '^[A-Za-z_][A-Za-z0-9_]{0,39}$' THEN
        RAISE EXCEPTION 'invalid argument: % is no name for an outbox', coalesce(quote_literal(name), 'NULL')
            USING ERRCODE = '22023', HINT = 'Use up to 40 letters, digits and underscores, a digit not first.';
    ELSIF EXISTS (SELECT FROM pgtrickle.pgt_outbox_config o WHERE o.outbox_name = name) THEN
        RAISE EXCEPTION 'outbox already exists: %', name USING ERRCODE = '42710';
    END IF;
    made := pgtrickle._create_outbox_tables(name, name, false);
    INSERT INTO pgtrickle.pgt_outbox_config (outbox_name, outbox_table_name, retention_hours)
    VALUES (name, made, pgtrickle._retention_hours(create_outbox.retention_hours));
END
$fn$;
