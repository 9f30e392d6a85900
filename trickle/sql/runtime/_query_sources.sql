-- The relations a query view reads, through views too, and the columns of each that it uses.
-- A whole-row reference stands in the tree as attribute 0 and uses every column.
CREATE FUNCTION pgtrickle._query_sources(view_oid oid)
RETURNS TABLE (relid oid, relkind "char", attnums smallint[])
LANGUAGE sql STABLE ROWS 5 SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
SET enable_hashjoin = off SET enable_mergejoin = off AS $fn$
    WITH rule AS MATERIALIZED (
        SELECT r.rule_oid, r.view, r.tree ~ '\{VAR :varno \S+ :varattno 0 ' AS whole_row
        FROM pgtrickle._query_rules(view_oid) r
    ), reference AS (
        SELECT d.refobjid, d.refobjsubid, rule.whole_row
        FROM rule
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = rule.rule_oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> rule.view
    )
    SELECT c.oid, c.relkind,
           coalesce(array_agg(DISTINCT a.attnum ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL), '{}')
    FROM reference r
    JOIN pg_class c ON c.oid = r.refobjid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                            AND (a.attnum = r.refobjsubid OR r.whole_row)
    GROUP BY c.oid, c.relkind
$fn$;
