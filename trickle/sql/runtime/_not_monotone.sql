-- What in a query may take a row away when its sources get one, or NULL: with such a part in a cycle there need not be a
-- fixed point, or there are several.
CREATE FUNCTION pgtrickle._not_monotone(view_oid oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    SELECT min(p.what)
    FROM pgtrickle._query_rules(view_oid) r
    JOIN (VALUES (':hasAggs true', 'an aggregate'),
                 (':hasWindowFuncs true', 'a window function'),
                 (':hasSubLinks true', 'a subquery in an expression'),
                 (':hasDistinctOn true', 'DISTINCT ON'),
                 (':hasRecursive true', 'WITH RECURSIVE'),
                 (':limit(Count|Offset) \{', 'LIMIT'),
                 ('\{SETOPERATIONSTMT :op 3', 'EXCEPT'),
                 ('\{JOINEXPR :jointype [1-9]', 'an outer join')) p(pattern, what) ON r.tree ~ p.pattern
$fn$;
