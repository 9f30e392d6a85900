-- The refresh groups. A member that was dropped counts no more; a group of fewer than two does nothing.
CREATE FUNCTION pgtrickle.refresh_groups()
RETURNS TABLE (group_id int, group_name text, member_count int, isolation text, created_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT g.group_id, g.group_name,
           (SELECT count(*)::int FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY (g.member_pgt_ids)),
           g.isolation, g.created_at
    FROM pgtrickle.pgt_refresh_groups g ORDER BY 2
$fn$;
