-- Indexes that would make differential refreshes faster, for one stream table or for all, with the command to run.
CREATE FUNCTION pgtrickle.missing_indexes(name text DEFAULT NULL)
RETURNS TABLE (stream_table text, source_table text, column_names text[], source_rows float8, statement text)
LANGUAGE plpgsql STABLE AS $fn$
DECLARE
    wanted pg_catalog.int8;
BEGIN
    IF missing_indexes.name IS NOT NULL THEN
        wanted := (pgtrickle._resolve(missing_indexes.name, current_schema()::pg_catalog.text)).pgt_id;
    END IF;
    RETURN QUERY
    SELECT pg_catalog.concat(s.pgt_schema, '.', s.pgt_name), m.*
    FROM pgtrickle.pgt_stream_tables s, pgtrickle._missing_indexes(s.program_explain OPERATOR(pg_catalog.->) 'lookups') m
    WHERE wanted IS NULL OR s.pgt_id OPERATOR(pg_catalog.=) wanted
    ORDER BY 1, 2, 3;
END
$fn$;
