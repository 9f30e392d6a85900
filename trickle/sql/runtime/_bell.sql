-- The bell of a source. A few sources share one when there are many: the locks of the server are everybody's.
CREATE FUNCTION pgtrickle._bell(source_id int) RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp RETURN source_id & 127;
