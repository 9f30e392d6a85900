-- The same for a message that is not JSON, with its content type.
CREATE FUNCTION pgtrickle.publish(outbox text, key text, body bytea, headers jsonb, content_type text) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    RETURN pgtrickle._publish(outbox, key, NULL, headers, body, content_type);
END
$fn$;
