-- Put a message into the outbox of an application; it is delivered once the caller's transaction is committed. Messages
-- with the same key are delivered in the order of their transactions. Returns the message's id, the same wherever it goes.
CREATE FUNCTION pgtrickle.publish(outbox text, key text, payload jsonb, headers jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    RETURN pgtrickle._publish(outbox, key, payload, headers, NULL, 'application/json');
END
$fn$;
