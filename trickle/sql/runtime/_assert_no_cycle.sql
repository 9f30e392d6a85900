-- A stream table must not read itself, not even through others; but where the database allows it, monotone queries may.
CREATE FUNCTION pgtrickle._assert_no_cycle(pgt_id bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    members bigint[] := pgtrickle._cycle_of(_assert_no_cycle.pgt_id);
    path    text;
    st      record;
    why     text;
BEGIN
    IF cardinality(members) = 0 THEN
        RETURN;
    END IF;
    WITH RECURSIVE upstream(pgt_id, path, seen, closed) AS (
        SELECT s.pgt_id, ARRAY[s.pgt_schema || '.' || s.pgt_name], ARRAY[]::bigint[], false
        FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _assert_no_cycle.pgt_id
        UNION ALL
        SELECT s.pgt_id, s.pgt_schema || '.' || s.pgt_name || u.path, u.seen || s.pgt_id, s.pgt_id = _assert_no_cycle.pgt_id
        FROM upstream u
        JOIN pgtrickle.pgt_dependencies d ON d.pgt_id = u.pgt_id
        JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = d.source_relid
        WHERE NOT u.closed AND s.pgt_id = ANY (members) AND NOT s.pgt_id = ANY (u.seen)
    )
    SELECT array_to_string(u.path, ' -> ') INTO path FROM upstream u WHERE u.closed LIMIT 1;
    IF NOT pgtrickle._setting_flag('allow_circular', 'off') THEN
        RAISE EXCEPTION 'cycle detected in dependency graph (%)', path
            USING ERRCODE = '3F000', HINT = 'A stream table cannot read itself, directly or through other stream tables, '
                                            'unless the setting allow_circular is on and all of the queries are monotone.';
    END IF;
    FOR st IN SELECT s.* FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY (members) ORDER BY s.pgt_id LOOP
        why := CASE WHEN st.refresh_mode <> 'DIFFERENTIAL' THEN 'refreshed in mode ' || st.refresh_mode
                    WHEN st.query_volatility <> 'i' THEN 'not IMMUTABLE'
                    ELSE pgtrickle._not_monotone(format('pgtrickle_programs.query_%s', st.pgt_id)::regclass) END;
        IF why IS NOT NULL THEN
            RAISE EXCEPTION 'cycle (%) cannot be kept: %.% is not monotone (%)', path, st.pgt_schema, st.pgt_name, why
                USING ERRCODE = '0A000',
                      HINT = 'In a cycle all queries are DIFFERENTIAL and only select, project, join and unite: a row more in '
                             'a source never takes one away.';
        END IF;
    END LOOP;
END
$fn$;
