-- The type under a domain, or the type itself.
CREATE FUNCTION pgtrickle._base_type(typid oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH RECURSIVE base(oid, typtype, typbasetype) AS (
        SELECT t.oid, t.typtype, t.typbasetype FROM pg_type t WHERE t.oid = _base_type.typid
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.typbasetype
        WHERE base.typtype = 'd'
    )
    SELECT oid FROM base WHERE typtype <> 'd'
$fn$;
