-- The functions a query view may call, found by id in its stored trees (built-in ones leave no dependency), with
-- the constructs that hide a function: SQL value functions, casts through text, sampling, sequences.
CREATE FUNCTION pgtrickle._query_functions(view_oid oid)
RETURNS TABLE (func oid, label text, volatility "char")
LANGUAGE sql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
SET enable_hashjoin = off SET enable_mergejoin = off AS $fn$
    WITH rule AS MATERIALIZED (
        SELECT r.tree FROM pgtrickle._query_rules(view_oid) r
    ), id AS (
        SELECT DISTINCT m[1] AS field, m[2]::oid AS id
        FROM rule, regexp_matches(rule.tree, ':(funcid|opfuncid|opno|aggfnoid|winfnoid|tsmhandler) (\d+)', 'g') m
        UNION
        SELECT 'opno', o::oid
        FROM rule, regexp_matches(rule.tree, ':opnos \(o ([\d ]+)\)', 'g') m, unnest(string_to_array(m[1], ' ')) o
    ), direct AS (
        SELECT DISTINCT CASE WHEN id.field = 'opno' THEN o.oprcode::oid ELSE id.id END AS func
        FROM id LEFT JOIN pg_operator o ON id.field = 'opno' AND o.oid = id.id
    ), called AS (
        SELECT d.func FROM direct d WHERE d.func <> 0
        UNION
        SELECT f::oid FROM direct d JOIN pg_aggregate a ON a.aggfnoid = d.func,
               unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]) f
        WHERE f::oid <> 0
    ), text_cast AS (
        -- The node's argument names its type right after its own name, for the nodes met in practice; for another
        -- node any type of the query may be the one.
        SELECT m[3]::oid AS result, m[2]::oid AS argument, rule.tree
        FROM rule, regexp_matches(rule.tree,
            '\{COERCEVIAIO :arg \{(?:(VAR :varno \S+ :varattno \S+ :vartype|CONST :consttype'
            '|FUNCEXPR :funcid \d+ :funcresulttype|OPEXPR :opno \d+ :opfuncid \d+ :opresulttype'
            '|AGGREF :aggfnoid \d+ :aggtype|WINDOWFUNC :winfnoid \d+ :wintype|CASE :casetype|COALESCE :coalescetype'
            ') (\d+))?[^{}]*(?:\}[^{}]*:resulttype (\d+))?', 'g') m
    ), cast_type AS (
        SELECT result AS type FROM text_cast WHERE result IS NOT NULL
        UNION
        SELECT argument FROM text_cast WHERE argument IS NOT NULL
        UNION
        SELECT m[1]::oid FROM text_cast, regexp_matches(text_cast.tree, 'type (\d+)', 'g') m
        WHERE text_cast.argument IS NULL OR text_cast.result IS NULL
    )
    SELECT p.oid, p.oid::regprocedure::text, p.provolatile FROM called JOIN pg_proc p ON p.oid = called.func
    UNION
    SELECT p.oid, 'cast of ' || t.oid::regtype || ' through text', p.provolatile
    FROM cast_type c JOIN pg_type t ON t.oid = c.type JOIN pg_proc p ON p.oid IN (t.typinput, t.typoutput)
    WHERE p.provolatile <> 'i'
    UNION
    SELECT 0::oid, 'current date, time, user or schema', 's'::"char" FROM rule WHERE rule.tree ~ '\{SQLVALUEFUNCTION '
    UNION
    SELECT 0::oid, 'TABLESAMPLE', 'v'::"char" FROM rule WHERE rule.tree ~ '\{TABLESAMPLECLAUSE '
    UNION
    SELECT 0::oid, 'nextval()', 'v'::"char" FROM rule WHERE rule.tree ~ '\{NEXTVALUEEXPR '
$fn$;
