-- The stream tables that a stream table reads and that read it, itself among them, by whatever way; none where there is no
-- such way.
CREATE FUNCTION pgtrickle._cycle_of(pgt_id bigint) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH RECURSIVE edge AS MATERIALIZED (
        SELECT d.pgt_id AS reader, u.pgt_id AS source
        FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables u ON u.pgt_relid = d.source_relid
    ), above(id) AS (
        SELECT e.source FROM edge e WHERE e.reader = _cycle_of.pgt_id
        UNION
        SELECT e.source FROM above JOIN edge e ON e.reader = above.id
    ), below(id) AS (
        SELECT e.reader FROM edge e WHERE e.source = _cycle_of.pgt_id
        UNION
        SELECT e.reader FROM below JOIN edge e ON e.source = below.id
    )
    SELECT coalesce(array_agg(above.id ORDER BY above.id), '{}') FROM above JOIN below USING (id)
$fn$;
