-- The cycles of stream tables, how many turns the last refresh of each took, and when that was.
CREATE FUNCTION pgtrickle.pgt_scc_status()
RETURNS TABLE (scc_id int, member_count int, members text[], last_iterations int, last_converged_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.scc_id, count(*)::int, array_agg(s.pgt_schema || '.' || s.pgt_name ORDER BY s.pgt_id),
           max(s.last_fixpoint_iterations), max(s.last_refresh_at) FILTER (WHERE s.last_fixpoint_iterations IS NOT NULL)
    FROM pgtrickle.pgt_stream_tables s WHERE s.scc_id IS NOT NULL
    GROUP BY s.scc_id ORDER BY 1
$fn$;
