-- Sources that are loaded together: a stream table that reads two or more of them is refreshed only while their
-- watermarks are no further apart than the tolerance.
CREATE FUNCTION pgtrickle.create_watermark_group(group_name text, sources text[], tolerance_secs float8 DEFAULT 0) RETURNS int
LANGUAGE plpgsql STRICT AS $fn$
DECLARE
    relids pg_catalog.oid[];
BEGIN
    SELECT pg_catalog.array_agg(DISTINCT pgtrickle._source(s, current_schema()::pg_catalog.text)) INTO relids
    FROM pg_catalog.unnest(sources) s;
    RETURN pgtrickle._create_watermark_group(group_name, relids, tolerance_secs);
END
$fn$;
