-- Columns that identify a row of a source (hidden columns of a stream table come and go, and do not count): the primary key, else a unique index that admits no NULL and no doubt.
CREATE FUNCTION pgtrickle._key_attnums(relid oid) RETURNS smallint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    SELECT coalesce((
        SELECT k.attnums
        FROM pg_index i
        CROSS JOIN LATERAL (
            SELECT array_agg(a ORDER BY n) AS attnums
            FROM unnest(i.indkey::smallint[]) WITH ORDINALITY u(a, n) WHERE n <= i.indnkeyatts) k
        WHERE i.indrelid = _key_attnums.relid
          AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
          AND NOT EXISTS (
              SELECT FROM pg_attribute a
              WHERE a.attrelid = i.indrelid AND a.attnum = ANY (k.attnums)
                AND (NOT a.attnotnull OR a.attname LIKE '\_\_pgt\_%'))
        ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
        LIMIT 1), '{}')
$fn$;
