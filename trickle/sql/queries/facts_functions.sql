-- The functions in the rule trees of a query view; those without an id are constructs that hide one.
SELECT coalesce(n.nspname, '') AS schema, coalesce(p.proname, f.label) AS name, coalesce(p.prokind::text, 'f') AS kind,
       f.volatility::text AS volatility, coalesce(p.proretset, false) AS returns_set
FROM pgtrickle._query_functions(%(view)s) f
LEFT JOIN pg_proc p ON p.oid = f.func
LEFT JOIN pg_namespace n ON n.oid = p.pronamespace
ORDER BY 1, 2
