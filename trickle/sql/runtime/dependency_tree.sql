-- What reads what, as a tree: stream tables that no other reads stand left, and what each reads below it. What was shown
-- before is not unfolded again.
CREATE FUNCTION pgtrickle.dependency_tree()
RETURNS TABLE (tree_line text, node text, node_type text, depth int, status text, refresh_mode text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    waiting  record;
    stack    jsonb[] := '{}';
    item     jsonb;
    seen     oid[] := '{}';
    children jsonb[];
    under    text;
BEGIN
    -- A cycle has no root: of each, the oldest stream table stands for one.
    FOR waiting IN
        SELECT s.pgt_relid FROM pgtrickle.pgt_stream_tables s
        ORDER BY EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = s.pgt_relid), s.pgt_schema, s.pgt_name
    LOOP
        CONTINUE WHEN waiting.pgt_relid = ANY (seen);
        stack := ARRAY[jsonb_build_object('relid', waiting.pgt_relid::bigint, 'lead', '', 'under', '', 'depth', 0)];
        WHILE cardinality(stack) > 0 LOOP
            item := stack[cardinality(stack)];
            stack := stack[:cardinality(stack) - 1];
            depth := (item ->> 'depth')::int;
            SELECT s.pgt_schema || '.' || s.pgt_name, 'stream_table', s.status, s.refresh_mode
            INTO node, node_type, status, refresh_mode
            FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = (item ->> 'relid')::oid;
            IF NOT FOUND THEN
                node := item ->> 'name';
                node_type := 'source_table';
            END IF;
            tree_line := concat(item ->> 'lead', node, CASE WHEN node_type = 'source_table' THEN ' [src]'
                                                            WHEN (item ->> 'relid')::oid = ANY (seen) THEN ' (above)' END);
            RETURN NEXT;
            CONTINUE WHEN node_type = 'source_table' OR (item ->> 'relid')::oid = ANY (seen);
            seen := seen || (item ->> 'relid')::oid;
            under := item ->> 'under';
            -- Last first: the stack gives them back in order.
            SELECT array_agg(jsonb_build_object(
                       'relid', e.source_relid::bigint, 'name', e.source_schema || '.' || e.source_name, 'depth', depth + 1,
                       'lead', under || CASE WHEN e.nth = 1 THEN '└── ' ELSE '├── ' END,
                       'under', under || CASE WHEN e.nth = 1 THEN '    ' ELSE '│   ' END) ORDER BY e.nth)
            INTO children
            FROM (SELECT d.*, row_number() OVER (ORDER BY d.source_schema DESC, d.source_name DESC) AS nth
                  FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
                  WHERE s.pgt_relid = (item ->> 'relid')::oid AND d.source_type <> 'VIEW') e;
            stack := stack || coalesce(children, '{}');
        END LOOP;
    END LOOP;
END
$fn$;
