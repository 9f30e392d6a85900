-- Do equal values of this type always look the same? Not for numeric (1.0 = 1.00), floats or citext: these have no
-- equalimage support function (number 4) in their default btree operator class.
CREATE FUNCTION pgtrickle._type_equal_is_same(typid oid, collation_id oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT EXISTS (
        SELECT FROM pg_opclass o
        JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'btree'
        JOIN pg_amproc p ON p.amprocfamily = o.opcfamily AND p.amproclefttype = o.opcintype
                        AND p.amprocrighttype = o.opcintype AND p.amprocnum = 4
        JOIN pg_type t ON t.oid = _type_equal_is_same.typid
        WHERE o.opcdefault
          AND o.opcintype = CASE WHEN t.typtype = 'e' THEN 'anyenum'::regtype
                                 WHEN t.oid = 'varchar'::regtype THEN 'text'::regtype ELSE t.oid END)
       AND NOT EXISTS (SELECT FROM pg_collation c WHERE c.oid = collation_id AND NOT c.collisdeterministic)
$fn$;
