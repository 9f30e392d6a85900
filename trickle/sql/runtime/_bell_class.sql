-- The first number of the advisory locks that are the bells of sources; the second is the bell. Written into capture functions.
CREATE FUNCTION pgtrickle._bell_class() RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp RETURN 1885828971;
