-- The stored trees of a query view and of every view under it. How few there are is said, here and in what is built on it,
-- because a planner that expects a thousand reads whole catalogs, and prepares for millions of the functions in them.
CREATE FUNCTION pgtrickle._query_rules(view_oid oid) RETURNS TABLE (rule_oid oid, view oid, tree text)
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp AS $fn$
    WITH RECURSIVE rule(oid, view) AS (
        SELECT r.oid, r.ev_class FROM pg_rewrite r WHERE r.ev_class = view_oid AND r.ev_type = '1'
        UNION
        SELECT r.oid, r.ev_class
        FROM rule
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = rule.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> rule.view
        JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'v'
        JOIN pg_rewrite r ON r.ev_class = c.oid AND r.ev_type = '1'
    )
    SELECT r.oid, r.ev_class, r.ev_action::text FROM rule JOIN pg_rewrite r ON r.oid = rule.oid
$fn$;
