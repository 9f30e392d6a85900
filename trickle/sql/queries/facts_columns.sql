-- Columns of relations, with what their types can do. Domains count as the type under them.
SELECT a.attrelid::int8 AS relid, a.attnum AS number, a.attname AS name,
       pgtrickle._type_name(a.atttypid, a.atttypmod) AS type, pgtrickle._type_name(b.base, NULL) AS base_type,
       a.attnotnull AS not_null, pgtrickle._type_groups(b.base) AS comparable,
       pgtrickle._type_hashes(b.base) AS hashable,
       pgtrickle._type_equal_is_same(b.base, a.attcollation)
           OR (b.base = 'numeric'::regtype AND a.atttypmod >= 0) AS equal_is_identical,
       a.attgenerated = 'v' AS virtual
FROM pg_attribute a
CROSS JOIN LATERAL (SELECT pgtrickle._base_type(a.atttypid) AS base OFFSET 0) b
WHERE a.attrelid = ANY (%(relations)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
