-- A stream table must not read itself, not even through others.
CREATE FUNCTION pgtrickle._assert_no_cycle(pgt_id bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    path text;
BEGIN
    WITH RECURSIVE upstream(pgt_id, path, closed) AS (
        SELECT s.pgt_id, ARRAY[s.pgt_schema || '.' || s.pgt_name], false
        FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _assert_no_cycle.pgt_id
        UNION ALL
        SELECT s.pgt_id, s.pgt_schema || '.' || s.pgt_name || u.path, s.pgt_id = _assert_no_cycle.pgt_id
        FROM upstream u
        JOIN pgtrickle.pgt_dependencies d ON d.pgt_id = u.pgt_id
        JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = d.source_relid
        WHERE NOT u.closed AND cardinality(u.path) < 1000
    )
    SELECT array_to_string(u.path, ' -> ') INTO path FROM upstream u WHERE u.closed LIMIT 1;
    IF path IS NOT NULL THEN
        RAISE EXCEPTION 'cycle detected in dependency graph (%)', path
            USING ERRCODE = '3F000', HINT = 'A stream table cannot read itself, directly or through other stream tables.';
    END IF;
END
$fn$;
