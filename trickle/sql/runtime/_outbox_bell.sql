-- The bell of an outbox. A few share one when there are many: the locks of the server are everybody's. Both numbers stand as
-- they are in pgtrickle._publish too, whose callers need no rights on these functions.
CREATE FUNCTION pgtrickle._outbox_bell(name text) RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp RETURN hashtext(name) & 127;
