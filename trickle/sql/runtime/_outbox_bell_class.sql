-- The first number of the advisory locks that are the bells of outboxes; the second is the bell.
CREATE FUNCTION pgtrickle._outbox_bell_class() RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp RETURN 1885828972;
