-- What is kept for a stream table and how large it is, indexes included: its rows, the tables of its program, the changes
-- and the copies of its sources, which it may share. Rows are the server's estimate, NULL where it has none yet.
CREATE FUNCTION pgtrickle._kept_storage(st pgtrickle.pgt_stream_tables)
RETURNS TABLE (place int, holds text, bytes bigint, row_count bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH kept(place, holds, relid) AS (
        SELECT 1, 'stream table', st.pgt_relid
        UNION ALL
        SELECT 2, 'state table ' || k.number, k.state::oid FROM pgtrickle._state_tables(st.pgt_id) k
        UNION ALL
        SELECT v.place, format('%s %s.%s', v.what, d.source_schema, d.source_name), v.relid
        FROM pgtrickle.pgt_dependencies d
        CROSS JOIN LATERAL (VALUES
            (3, 'changes of', to_regclass(format('pgtrickle_changes.changes_%s', d.source_id))::oid),
            (4, 'copy of', to_regclass(format('pgtrickle_changes.polled_%s', d.source_id))::oid)) v(place, what, relid)
        WHERE d.pgt_id = st.pgt_id
    )
    SELECT k.place, k.holds, sum(pg_total_relation_size(m.member))::bigint,
           sum(CASE WHEN pg_stat_get_live_tuples(c.oid) > 0 OR c.reltuples = 0 THEN pg_stat_get_live_tuples(c.oid)
                    WHEN c.reltuples > 0 THEN c.reltuples END)::bigint
    FROM kept k CROSS JOIN LATERAL pgtrickle._members(k.relid) m JOIN pg_class c ON c.oid = m.member
    WHERE c.relkind <> 'p'
    GROUP BY k.place, k.holds
$fn$;
