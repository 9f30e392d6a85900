-- The stream tables that are refreshed together because two ways from one source meet in one of them: what lies on both
-- ways, and where they meet. Groups that overlap are one. A diamond with a member that is not `atomic` is none.
CREATE FUNCTION pgtrickle.diamond_groups()
RETURNS TABLE (group_id int, member_name text, member_schema text, is_convergence boolean, epoch bigint, schedule_policy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH RECURSIVE reads AS MATERIALIZED (
        -- Each stream table, itself, and all that is above it.
        SELECT s.pgt_id, s.pgt_relid AS relid FROM pgtrickle.pgt_stream_tables s
        UNION
        SELECT r.pgt_id, d.source_relid
        FROM reads r
        JOIN pgtrickle.pgt_stream_tables u ON u.pgt_relid = r.relid
        JOIN pgtrickle.pgt_dependencies d ON d.pgt_id = u.pgt_id
    ), above AS (
        SELECT d.pgt_id, u.pgt_id AS up, u.pgt_relid AS relid
        FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables u ON u.pgt_relid = d.source_relid
        WHERE u.pgt_id <> d.pgt_id
    ), pair AS (
        SELECT row_number() OVER () AS pair_id, l.pgt_id AS meeting, l.up AS one, r.up AS other, c.common
        FROM above l
        JOIN above r ON r.pgt_id = l.pgt_id AND r.up > l.up
        CROSS JOIN LATERAL (SELECT array_agg(a.relid) AS common FROM reads a JOIN reads b USING (relid)
                            WHERE a.pgt_id = l.up AND b.pgt_id = r.up) c
        WHERE NOT l.relid = ANY (c.common) AND NOT r.relid = ANY (c.common)
    ), member AS (
        SELECT p.pair_id, p.meeting, p.meeting AS pgt_id FROM pair p
        UNION
        SELECT p.pair_id, p.meeting, s.pgt_id
        FROM pair p
        JOIN reads w ON w.pgt_id IN (p.one, p.other) AND NOT w.relid = ANY (p.common)
        JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = w.relid
        WHERE EXISTS (SELECT FROM reads o WHERE o.pgt_id = s.pgt_id AND o.relid = ANY (p.common))
    ), atomic AS MATERIALIZED (
        SELECT m.* FROM member m
        WHERE NOT EXISTS (SELECT FROM member o JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
                          WHERE o.pair_id = m.pair_id AND s.diamond_consistency <> 'atomic')
    ), together(pgt_id, other) AS (
        SELECT a.pgt_id, a.pgt_id FROM atomic a
        UNION
        SELECT t.pgt_id, b.pgt_id
        FROM together t JOIN atomic a ON a.pgt_id = t.other JOIN atomic b ON b.pair_id = a.pair_id
    ), grouped AS (
        SELECT t.pgt_id, min(t.other) AS first FROM together t GROUP BY t.pgt_id
    )
    SELECT dense_rank() OVER (ORDER BY g.first)::int, s.pgt_name, s.pgt_schema,
           EXISTS (SELECT FROM atomic a WHERE a.meeting = s.pgt_id), 0::bigint,
           CASE WHEN EXISTS (SELECT FROM atomic a JOIN grouped x ON x.pgt_id = a.meeting
                             JOIN pgtrickle.pgt_stream_tables m ON m.pgt_id = a.meeting
                             WHERE x.first = g.first AND m.diamond_schedule_policy = 'slowest')
                THEN 'slowest' ELSE 'fastest' END
    FROM grouped g JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
    ORDER BY 1, s.pgt_schema, s.pgt_name
$fn$;
