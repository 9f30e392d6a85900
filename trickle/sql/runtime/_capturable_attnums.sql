-- What a buffer must hold so that these columns can be read: key columns are added, and a virtual generated column
-- (its value is NULL in a trigger, and naming it fails the write) is replaced by the columns it is computed from.
CREATE FUNCTION pgtrickle._capturable_attnums(relid oid, attnums smallint[]) RETURNS smallint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH wanted AS (
        SELECT a.attnum, a.attgenerated
        FROM pg_attribute a
        WHERE a.attrelid = relid AND a.attnum > 0 AND NOT a.attisdropped
          AND (a.attnum = ANY (attnums) OR a.attnum = ANY (pgtrickle._key_attnums(relid)))
    ), physical AS (
        SELECT attnum FROM wanted WHERE attgenerated <> 'v'
        UNION
        SELECT d.refobjsubid::smallint
        FROM wanted w
        JOIN pg_attrdef f ON f.adrelid = relid AND f.adnum = w.attnum
        JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = relid AND d.refobjsubid > 0
        JOIN pg_attribute a ON a.attrelid = relid AND a.attnum = d.refobjsubid AND a.attgenerated <> 'v'
        WHERE w.attgenerated = 'v'
    )
    SELECT coalesce(array_agg(attnum ORDER BY attnum), '{}') FROM physical
$fn$;
