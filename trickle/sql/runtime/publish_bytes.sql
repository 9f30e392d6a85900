-- The same as publish, for a message that is not JSON, with its content type.
CREATE FUNCTION pgtrickle.publish_bytes(outbox text, key text, body bytea, content_type text, headers jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    RETURN pgtrickle._publish(outbox, key, NULL, headers, body, content_type);
END
$fn$;
